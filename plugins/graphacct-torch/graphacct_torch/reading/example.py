"""An input to suggest: what a module's first layer takes."""

from __future__ import annotations

import torch
from torch import nn

IMAGES = {nn.Conv1d: "1x{0}x1000", nn.Conv2d: "1x{0}x224x224", nn.Conv3d: "1x{0}x16x112x112"}
"""Inputs of convolutions, by kind, for so many channels."""


def example(module: nn.Module) -> str:
    """Returns an input as it is typed, for the first layer whose sizes are known: `2x16:int64` if that is an embedding,
    `2x8:float32` of a linear layer of 8 inputs, an image for a convolution."""
    for part in module.modules():
        shape = _shape(part)
        if shape:
            tensors = [*part.parameters(recurse=False)]
            dtype = torch.int64 if isinstance(part, (nn.Embedding, nn.EmbeddingBag)) else tensors[0].dtype
            return f"{shape}:{str(dtype).removeprefix('torch.')}"
    return "2x16:int64 or 1x3x224x224:float32"


def _shape(part: nn.Module) -> str:
    if isinstance(part, (nn.Embedding, nn.EmbeddingBag)):
        return "2x16"
    if isinstance(part, nn.LazyLinear):
        return ""
    if isinstance(part, nn.Linear):
        return f"2x{part.in_features}"
    if isinstance(part, nn.RNNBase):
        return f"2x16x{part.input_size}" if part.batch_first else f"16x2x{part.input_size}"
    if isinstance(part, nn.MultiheadAttention):
        return f"2x16x{part.embed_dim}" if part.batch_first else f"16x2x{part.embed_dim}"
    for kind, shape in IMAGES.items():
        if isinstance(part, kind) and part.in_channels:
            return shape.format(part.in_channels)
    return ""
