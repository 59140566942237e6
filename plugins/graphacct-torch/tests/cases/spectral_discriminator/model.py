"""A discriminator with spectral norm in training (its power iterations write buffers), and a projection by class."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils import spectral_norm
from torch.nn.utils.parametrizations import spectral_norm as parametrized


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = spectral_norm(nn.Conv2d(3, 8, 4, 2, 1)), parametrized(nn.Conv2d(8, 16, 4, 2, 1))
        self.out, self.label = parametrized(nn.Linear(16, 1)), nn.Embedding(10, 16)

    def forward(self, x, y):
        h = F.leaky_relu(self.b(F.leaky_relu(self.a(x), 0.1)), 0.1).sum((2, 3))
        return self.out(h) + (h * self.label(y)).sum(1, keepdim=True)


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(2, 3, 8, 8), torch.zeros(2, dtype=torch.long)), {}
