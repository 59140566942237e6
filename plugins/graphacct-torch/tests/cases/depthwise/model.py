"""Depthwise separable convolutions: the weight's gradient of a grouped convolution."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(12, 12, 5, padding=2, groups=12), nn.Conv2d(12, 24, 1)
        self.c, self.d = nn.Conv2d(24, 48, 3, stride=2, groups=4), nn.Conv2d(48, 6, 1)

    def forward(self, x):
        return self.d(F.hardswish(self.c(F.relu6(self.b(self.a(x))))))


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(2, 12, 9, 9),), {}
