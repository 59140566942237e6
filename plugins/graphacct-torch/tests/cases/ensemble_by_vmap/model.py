"""An ensemble of stacked weights: functional_call under vmap."""

import torch
import torch.nn as nn
from torch.func import functional_call, stack_module_state, vmap


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        nets = [nn.Sequential(nn.Linear(6, 10), nn.Tanh(), nn.Linear(10, 2)) for _ in range(3)]
        self.base = [nets[0]]
        params, _ = stack_module_state(nets)
        self.stacked = nn.ParameterDict({name.replace(".", "_"): p for name, p in params.items()})
        self.names = list(params)

    def forward(self, x):
        params = {name: self.stacked[name.replace(".", "_")] for name in self.names}
        y = vmap(lambda p: functional_call(self.base[0], p, (x,)))(params)
        return y.mean(0), y.var(0)


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(4, 6),), {}
