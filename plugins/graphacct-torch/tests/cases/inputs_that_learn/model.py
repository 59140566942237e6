"""Inputs that need gradients, one of them added to itself, one given to a product."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(10, 20), nn.Linear(20, 3)

    def forward(self, x, prompt, scale):
        h = torch.cat([prompt.expand(x.shape[0], -1, -1), x], 1) * scale
        return self.b(torch.tanh(self.a(h)))


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    x, prompt = torch.zeros(2, 5, 10, requires_grad=True), torch.zeros(1, 3, 10, requires_grad=True)
    return Model(), (x, prompt), {"scale": torch.ones(10)}
