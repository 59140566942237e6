"""Fused attention with a mask of booleans, a float bias that learns, and dropout."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.bias = nn.Linear(24, 72), nn.Parameter(torch.zeros(1, 3, 5, 5))

    def forward(self, x, keep):
        q, k, v = self.qkv(x).unflatten(-1, (3, 3, 8)).permute(2, 0, 3, 1, 4)
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=keep[:, None, None, :])
        b = F.scaled_dot_product_attention(q, k, v, attn_mask=self.bias, dropout_p=0.2)
        return torch.cat([a, b], -1)


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(2, 5, 24), torch.ones(2, 5, dtype=torch.bool)), {}
