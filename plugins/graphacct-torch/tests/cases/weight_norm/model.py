"""A parametrised weight: its parameters are not called weight."""

import torch
import torch.nn as nn
from torch.nn.utils.parametrizations import weight_norm


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = weight_norm(nn.Linear(10, 20)), weight_norm(nn.Conv1d(20, 6, 3))

    def forward(self, x):
        return self.b(self.a(x).transpose(1, 2))


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(2, 7, 10),), {}
