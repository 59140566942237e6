"""A cache that is written slice by slice in a loop over time."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.o = nn.Linear(16, 48, bias=False), nn.Linear(16, 16)

    def forward(self, x):
        b, s, d = x.shape
        keys, values = x.new_zeros(b, s, d), x.new_zeros(b, s, d)
        outs = []
        for t in range(s):
            q, k, v = self.qkv(x[:, t]).chunk(3, -1)
            keys[:, t], values[:, t] = k, v
            w = (keys[:, : t + 1].clone() @ q[..., None] / d**0.5).softmax(1)
            outs.append((w * values[:, : t + 1].clone()).sum(1))
        return self.o(torch.stack(outs, 1))


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(2, 4, 16),), {}
