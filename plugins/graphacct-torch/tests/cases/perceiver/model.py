"""Latents that attend to the input several times with the same weights."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.latents = nn.Parameter(torch.empty(4, 16))
        self.cross = nn.MultiheadAttention(16, 2, kdim=10, vdim=10, batch_first=True)
        self.own = nn.MultiheadAttention(16, 4, dropout=0.1, batch_first=True)
        self.ff = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 64), nn.GLU(-1), nn.Linear(32, 16))

    def forward(self, x, mask):
        z = self.latents.expand(x.shape[0], -1, -1)
        for _ in range(3):
            z = z + self.cross(z, x, x, key_padding_mask=mask, need_weights=False)[0]
            y, weights = self.own(z, z, z, average_attn_weights=False)
            z = z + y
            z = z + self.ff(z)
        return z.mean(1), weights


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(2, 7, 10), torch.zeros(2, 7, dtype=torch.bool)), {}
