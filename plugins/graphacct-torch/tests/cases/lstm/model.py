"""A two-layer bidirectional LSTM with a head on the last step."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb, self.rnn, self.head = (
            nn.Embedding(50, 12),
            nn.LSTM(12, 10, 2, batch_first=True, bidirectional=True),
            nn.Linear(20, 3),
        )

    def forward(self, x):
        y, _ = self.rnn(self.emb(x))
        return self.head(y[:, -1])


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return Model(), (torch.zeros(3, 7, dtype=torch.long),), {}
