"""Norms with and without an affine part, and a fused RMSNorm."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (
            nn.LayerNorm(16, elementwise_affine=False),
            nn.RMSNorm(16),
            nn.LayerNorm((4, 16), bias=False),
        )
        self.w = nn.Linear(16, 16)

    def forward(self, x):
        return self.c(self.w(self.b(self.w(self.a(x)))))


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(3, 4, 16),), {}
