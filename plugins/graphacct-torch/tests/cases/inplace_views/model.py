"""In-place operators on views of an activation."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(12, 12), nn.Linear(12, 12)

    def forward(self, x):
        y = self.a(x)
        y[:, :4].mul_(2.0)
        y[:, 4] = 0.0
        z = self.b(y)
        z.add_(x).clamp_(min=0)
        return z.sum()


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(6, 12),), {}
