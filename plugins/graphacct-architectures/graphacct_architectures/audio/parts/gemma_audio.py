"""What the encoders of sound of Gemma 3n and Gemma 4 share: their frames, and the ends of their convolutions."""

from __future__ import annotations

from graphacct import Builder, Dim, Value
from graphacct_architectures.layers import linear

FRAMES = 3000
"""Of the longest sound that their preprocessors make, 30 seconds."""
FRAMES_PER_SECOND = 100


def projected(b: Builder, x: Value, width: Dim) -> Value:
    """Returns planes (batch, channels, places, bins) as a stream (batch, places, width)."""
    batch, channels, places, rest = x.spec.shape
    x = b.apply("permute", x, name="places_first", dims=(0, 2, 3, 1))
    x = b.apply("reshape", b.apply("contiguous", x, name="copied"), name="flat", shape=(batch, places, rest * channels))
    return linear(b, "input_proj_linear", x, width, bias=False)


def convolved_in_depth(b: Builder, x: Value, kernel: Dim) -> Value:
    """Returns x (batch, places, width) as (batch, width, places), each channel convolved over earlier places."""
    width = x.spec.shape[-1]
    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    x = b.apply("pad", x, name="padded", padding=((0, 0), (0, 0), (kernel - 1, 0)))
    weight = b.parameter("depthwise_conv1d.weight", (width, 1, kernel))
    found: Value = b.apply("convolution", x, weight, name="depthwise_conv1d", groups=width)
    return found
