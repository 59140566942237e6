"""Checkpoints within checkpoints."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.a, self.b = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(48, 16)

    def forward(self, x):
        return x + self.b(F.gelu(self.a(self.norm(x))))


class Stage(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(2))

    def forward(self, x):
        for layer in self.layers:
            x = checkpoint(layer, x, use_reentrant=False)
        return x.tanh()


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.stages = nn.Linear(16, 16), nn.ModuleList(Stage() for _ in range(2))

    def forward(self, x):
        x = self.first(x)
        for stage in self.stages:
            x = checkpoint(stage, x, use_reentrant=False)
        return x


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(4, 16),), {}
