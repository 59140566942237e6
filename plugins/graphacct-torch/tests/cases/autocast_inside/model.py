"""bf16 autocast inside forward, with a float32 island."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.norm, self.b, self.head = nn.Linear(16, 32), nn.LayerNorm(32), nn.Linear(32, 16), nn.Linear(16, 4)

    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            h = self.b(F.gelu(self.norm(self.a(x))))
            h = self.a(h)
            with torch.autocast("cpu", enabled=False):
                h = h.float().pow(2).mean(-1, keepdim=True).rsqrt() * h.float()
            h = self.b(h)
        return self.head(h.float())


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(3, 16),), {}
