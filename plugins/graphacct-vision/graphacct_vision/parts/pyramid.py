"""Heads of semantic segmentation over maps of several sizes: UPerNet (Xiao et al., 2018, arXiv:1807.10221), and a
fully convolutional one beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from graphacct import Builder, Dim, Value, equal, frozen
from graphacct_vision.parts.layers import batch_norm, conv_norm, convolution, resized, transposed

NAMED = ("conv_transpose1", "normalization", "activation", "conv_transpose2", "fpn2")
SEQUENTIAL = ("0", "1", "2", "3", "fpn2.0")
"""The names of a pyramid's parts, of modules of their own or of a sequence's."""


def pyramid(
    b: Builder, maps: Sequence[Value], width: Dim, training: bool, names: tuple[str, str, str, str, str] = NAMED
) -> tuple[Value, ...]:
    """Returns four maps of one size as a pyramid: four times as large, twice, as large, and half."""
    large, double, same, half = maps
    once, norm, act, again, twice = names
    with b.scope("fpn1"):
        x = transposed(b, once, large, width, 2, stride=2)
        x = b.apply("gelu", batch_norm(b, norm, x, training=training), name=act)
        x = transposed(b, again, x, width, 2, stride=2)
    return (
        x,
        transposed(b, twice, double, width, 2, stride=2),
        same,
        b.apply("max_pool", half, name="fpn4", kernel=2, stride=2),
    )


@frozen
class Names:
    """The names of the head's modules: a pooled map's and its convolution's, the one's that reads all of them, and the
    parts' of each."""

    pooled: str = "psp_modules.blocks"
    conv: str = "conv"
    together: str = "psp_bottleneck"
    pooling: str = "pooling"
    parts: tuple[str, str] = ("convolution", "normalization")


BEIT, UPERNET = Names(), Names("psp_modules", "1", "bottleneck", "0", ("conv", "batch_norm"))


def uper_head(
    b: Builder,
    maps: Sequence[Value],
    channels: Dim,
    scales: Sequence[Dim],
    labels: Dim,
    training: bool,
    names: Names = BEIT,
) -> Value:
    """Returns the logits of each place of the first map; the builder is in the head's scope."""
    conv = partial(conv_norm, b, training=training, parts=names.parts)
    laterals = [conv(f"lateral_convs.{place}", x, channels) for place, x in enumerate(maps[:-1])]
    last, parts = maps[-1], [maps[-1]]
    for place, scale in enumerate(scales):
        with b.scope(f"{names.pooled}.{place}"):
            if equal(scale, 1):
                x = b.apply("mean", last, name=names.pooling, dim=(2, 3), keepdim=True)
            else:
                x = b.apply("adaptive_avg_pool", last, name=names.pooling, size=scale)
            x = conv(names.conv, x, channels)
            if names is BEIT:
                x = resized(b, "resized", x, last.spec.shape[2:])
        if names is not BEIT:
            x = resized(b, f"{names.pooled}.resized_{place}", x, last.spec.shape[2:])
        parts.append(x)
    x = b.apply("concat", *parts, name="pooled_together", dim=1)
    laterals.append(conv(names.together, x, channels, 3, padding=1))
    for place in range(len(laterals) - 1, 0, -1):
        above = resized(b, f"lateral_{place}_resized", laterals[place], laterals[place - 1].spec.shape[2:])
        laterals[place - 1] = b.apply("add", laterals[place - 1], above, name=f"lateral_{place - 1}")
    outs = [conv(f"fpn_convs.{place}", x, channels, 3, padding=1) for place, x in enumerate(laterals[:-1])]
    outs.append(laterals[-1])
    for place in range(len(outs) - 1, 0, -1):
        outs[place] = resized(b, f"fpn_{place}_resized", outs[place], outs[0].spec.shape[2:])
    x = b.apply("concat", *outs, name="fpn_together", dim=1)
    x = conv("fpn_bottleneck", x, channels, 3, padding=1)
    return convolution(b, "classifier", x, labels, bias=True)


def fcn_head(
    b: Builder,
    x: Value,
    channels: Dim,
    count: int,
    labels: Dim,
    training: bool,
    *,
    joined: bool = False,
    parts: tuple[str, str] = BEIT.parts,
) -> Value:
    """Returns the logits of each place of one map, after `count` convolutions and, if `joined`, one of both ends; the
    builder is in the head's scope."""
    y = x
    for place in range(count):
        y = conv_norm(b, f"convs.{place}", y, channels, 3, padding=1, training=training, parts=parts)
    if joined:
        both = b.apply("concat", x, y, name="both", dim=1)
        y = conv_norm(b, "conv_cat", both, channels, 3, padding=1, training=training, parts=parts)
    return convolution(b, "classifier", y, labels, bias=True)
