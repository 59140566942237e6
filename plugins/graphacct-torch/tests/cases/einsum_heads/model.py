"""Attention written with einsum."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Parameter(torch.empty(3, 24, 4, 6))
        self.o = nn.Parameter(torch.empty(4, 6, 24))

    def forward(self, x):
        q, k, v = torch.einsum("bsd,xdhe->xbshe", x, self.qkv)
        w = torch.einsum("bshe,bthe->bhst", q, k).mul(6**-0.5).softmax(-1)
        return torch.einsum("bhst,bthe,hed->bsd", w, v, self.o)


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(2, 5, 24),), {}
