"""Experts as one batched product, gated by top-2 weights."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.up, self.down = (
            nn.Linear(16, 4, bias=False),
            nn.Parameter(torch.empty(4, 16, 32)),
            nn.Parameter(torch.empty(4, 32, 16)),
        )

    def forward(self, x):
        p, e = self.gate(x).softmax(-1).topk(2, -1)
        gates = torch.zeros(x.shape[0], 4, dtype=x.dtype, device=x.device).scatter(1, e, p / p.sum(-1, keepdim=True))
        y = torch.bmm(F.silu(torch.bmm(x.expand(4, -1, -1), self.up)), self.down)
        return (y * gates.t()[:, :, None]).sum(0)


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(6, 16),), {}
