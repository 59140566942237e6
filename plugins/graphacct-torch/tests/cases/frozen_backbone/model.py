"""A frozen backbone under no_grad, a trained head."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 16, 3, 2), nn.ReLU())
        self.backbone.requires_grad_(False)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(144, 10), nn.LogSoftmax(-1))

    def forward(self, x):
        with torch.no_grad():
            y = self.backbone(x)
        return self.head(y)


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(2, 3, 15, 15),), {}
