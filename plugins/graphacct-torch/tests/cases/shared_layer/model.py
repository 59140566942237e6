"""One layer applied four times (ALBERT, universal transformers): parameters once, work four times."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(24, 3, 48, dropout=0.0, batch_first=True)

    def forward(self, x):
        for _ in range(4):
            x = self.layer(x)
        return x


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(2, 5, 24),), {}
