"""SEW's squeezed layers: they see neighbouring positions as one, and a projection spreads them again.

Wu et al., 2021 (arXiv:2109.06870).
"""

from __future__ import annotations

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, minimum, same
from graphacct_architectures.audio.parts.description import Waves
from graphacct_architectures.audio.parts.stem import positions
from graphacct_architectures.layers import activation, linear


def squeezed(w: Waves, factor: Dim, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the mean of each `factor` positions of x (batch, positions, width), with positions that the convolution
    makes of as many."""
    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    with b.scope("pos_conv_embed"):
        places = positions(w.positions, workload, b, x)
    pooled = b.apply("avg_pool", x, name="pool", kernel=factor, stride=factor)
    count = minimum(places.spec.shape[2], pooled.spec.shape[2])
    parts = [first(b, part, count, label) for part, label in ((pooled, "pooled"), (places, "places"))]
    x = b.apply("add", *parts, name="with_positions")
    return b.apply("transpose", x, name="channels_last", dims=(1, 2))


def first(b: Builder, x: Value, count: Dim, label: str) -> Value:
    """Returns the first `count` positions of x (batch, width, positions)."""
    if same(x.spec.shape[2], count):
        return x
    return b.apply("slice", x, name=f"{label}_first", dim=2, start=0, length=count)


def upsampled(w: Waves, factor: Dim, count: Dim, b: Builder, x: Value) -> Value:
    """Returns x (batch, squeezed positions, width) as `count` positions; those that are missing are zeros."""
    batch, seq, width = x.spec.shape
    with b.scope("upsample"):
        x = linear(b, "projection", x, width * factor)
        x = activation(b, w.stem.activation, x, "activation")
        if not equal(factor, 1):
            x = b.apply("reshape", x, name="spread", shape=(batch, seq * factor, width))
    have = seq * factor
    if type(have) is not int or type(count) is not int:
        raise ConfigError("samples and squeeze_factor are integers: whether positions are left over decides")
    return b.apply("pad", x, name="with_rest", padding=((0, count - have), (0, 0))) if have < count else x
