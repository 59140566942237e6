"""A GRU cell in a Python loop over time."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.GRUCell(8, 12), nn.Linear(12, 2)

    def forward(self, x):
        h = x.new_zeros(x.shape[0], 12)
        for step in x.unbind(1):
            h = self.cell(step, h)
        return self.head(h)


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(2, 5, 8),), {}
