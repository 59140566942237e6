"""Pixel shuffle, bilinear interpolation, padding modes."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 12, 3, padding=1, padding_mode="reflect"), nn.Conv2d(12, 12, 3, padding="same")
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x):
        up = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return up + self.shuffle(self.b(F.leaky_relu(self.a(x), 0.2)))


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(1, 3, 8, 8),), {}
