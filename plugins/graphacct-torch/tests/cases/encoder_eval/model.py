"""nn.TransformerEncoder in eval mode: the fast path of torch must not be what is counted."""

import torch
import torch.nn as nn


def model():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 3)


def factory():
    """The module, its positional and its keyword inputs, on whatever device is the default."""
    return model().eval(), (torch.zeros(2, 6, 32),), {}
