"""Keyword inputs, a dictionary as output, a parameter that nothing uses."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.pos, self.unused = nn.Embedding(30, 8), nn.Embedding(9, 8), nn.Parameter(torch.empty(7))
        self.out = nn.Linear(8, 30, bias=False)
        self.out.weight = self.emb.weight

    def forward(self, ids, mask=None):
        h = self.emb(ids) + self.pos(torch.arange(ids.shape[1], device=ids.device))
        if mask is not None:
            h = h.masked_fill(mask[..., None], 0.0)
        return {"hidden": h, "logits": self.out(h)}


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (), {"ids": torch.zeros(2, 9, dtype=torch.long), "mask": torch.zeros(2, 9, dtype=torch.bool)}
