"""The blocks of the deep compression autoencoder: convolutions, linear attention, and how maps shrink and grow."""

from __future__ import annotations

from graphacct_architectures.layers import linear

from graphacct import Builder, Dim, Value, Workload, exact_div, frozen, has_value
from graphacct_diffusers.layers import act, conv
from graphacct_diffusers.sana import gated_conv, quotient

RES, VIT = "ResBlock", "EfficientViTBlock"
RMS, BATCH = "rms_norm", "batch_norm"
RATIO = 4
"""How many times wider a gated convolution is inside."""
FACTOR = 2
"""How many times a side shrinks and grows between blocks."""


@frozen(kw_only=True)
class Level:
    """Blocks of one size of the map.

    Attributes:
        kind: The kind of its blocks.
        layers: How many there are.
        width: Their channels.
        head: Channels of a head of attention.
        scales: Sizes of the convolutions beside attention's projections.
        norm: The norm of its blocks.
        act: The activation of its ResNet blocks.
    """

    kind: str
    layers: int
    width: Dim
    head: Dim
    scales: tuple[int, ...]
    norm: str = RMS
    act: str = "silu"


def block(b: Builder, name: str, x: Value, level: Level, workload: Workload) -> Value:
    """Applies ResBlock: two convolutions and a norm; or EfficientViTBlock: attention and a gated convolution."""
    with b.scope(name):
        if level.kind == RES:
            y = act(b, level.act, conv(b, "conv1", x, level.width), "nonlinearity")
            y = any_norm(b, "norm", conv(b, "conv2", y, level.width, bias=False), level.norm, workload)
            return b.apply("add", y, x, name="residual")
        x = multiscale_attention(b, "attn", x, level, workload)
        y = gated_conv(b, "conv_out", x, RATIO)
        return b.apply("add", channel_norm(b, "conv_out.norm", y), x, name="conv_out.residual")


def any_norm(b: Builder, name: str, x: Value, kind: str, workload: Workload) -> Value:
    """Applies a norm of a map's channels by its name."""
    if kind == RMS:
        return channel_norm(b, name, x)
    width = x.spec.shape[1:2]
    given = [b.parameter(f"{name}.{part}", width) for part in ("weight", "bias")]
    given += [b.parameter(f"{name}.{part}", width, buffer=True) for part in ("running_mean", "running_var")]
    given.append(b.parameter(f"{name}.num_batches_tracked", (), "int64", buffer=True))
    training = {"training": True} if workload.phase == "train" else {}
    return b.apply("batch_norm", x, *given, name=name, **training)


def channel_norm(b: Builder, name: str, x: Value) -> Value:
    """Applies diffusers' RMSNorm with a bias over the channels of a map, which are moved to the end and back."""
    width = x.spec.shape[1:2]
    y = b.apply("permute", x, name=f"{name}_channels_last", dims=(0, 2, 3, 1))
    y = b.apply("rms_norm", y, b.parameter(f"{name}.weight", width), name=name, upcast="statistics")
    y = b.apply("add", y, b.parameter(f"{name}.bias", width), name=f"{name}_with_bias")
    return b.apply("permute", y, name=f"{name}_channels_first", dims=(0, 3, 1, 2))


def multiscale_attention(b: Builder, name: str, x: Value, level: Level, workload: Workload) -> Value:
    """Applies SanaMultiscaleLinearAttention: linear attention, or products of all pairs on a map of no more places than
    a head has channels."""
    batch, channels, *sides = x.spec.shape
    each, count = level.head, sides[0] * sides[1]
    heads = channels // each
    inner = heads * each
    with b.scope(name):
        y = b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1))
        parts = [linear(b, part, y, inner, bias=False) for part in ("to_q", "to_k", "to_v")]
        y = b.apply("concat", *parts, name="qkv", dim=3)
        y = b.apply("permute", y, name="qkv_map", dims=(0, 3, 1, 2))
        found = [y]
        for index, size in enumerate(level.scales):
            with b.scope(f"to_qkv_multiscale.{index}"):
                z = conv(b, "proj_in", y, 3 * inner, size, groups=3 * inner, bias=False)
                found.append(conv(b, "proj_out", z, 3 * inner, 1, groups=3 * heads, bias=False))
        y = b.apply("concat", *found, name="all_scales", dim=1)
        if is_linear(count, each) and b.dtype != "float32":
            y = b.apply("cast", y, name="wide", dtype="float32")
        all_heads = heads * len(found)
        y = b.apply("reshape", y, name="heads", shape=(batch, all_heads, 3 * each, count))
        q, k, v = b.apply("split", y, name="parts", parts=3, dim=2)
        q, k = (b.apply("relu", z, name=f"{label}_positive") for label, z in (("q", q), ("k", k)))
        k = b.apply("transpose", k, name="k_columns", dims=(2, 3))
        if is_linear(count, each):
            y = quotient(b, q, k, v, each)
            y = y if b.dtype == "float32" else b.apply("cast", y, name="as_computed", dtype=b.dtype)
        else:
            y = all_pairs(b, q, k, v)
        y = b.apply("reshape", y, name="merged", shape=(batch, all_heads * each, *sides))
        y = linear(b, "to_out", b.apply("permute", y, name="merged_last", dims=(0, 2, 3, 1)), channels, bias=False)
        y = b.apply("permute", y, name="map", dims=(0, 3, 1, 2))
        return b.apply("add", any_norm(b, "norm_out", y, level.norm, workload), x, name="residual")


def is_linear(count: Dim, each: Dim) -> bool:
    """Returns whether attention is linear: on a map of more places than a head has channels."""
    return not (has_value(count) and has_value(each) and count <= each)


def all_pairs(b: Builder, q: Value, k: Value, v: Value) -> Value:
    """Returns values weighted by the shares of products of keys and queries, for each query."""
    scores = b.apply("matmul", k, q, name="scores")
    if b.dtype != "float32":
        scores = b.apply("cast", scores, name="scores_wide", dtype="float32")
    sums = b.apply("shift", b.apply("sum", scores, name="sums", dim=(2,), keepdim=True), name="sums_above_0")
    scores = b.apply("div", scores, sums, name="shares")
    if b.dtype != "float32":
        scores = b.apply("cast", scores, name="shares_narrow", dtype=b.dtype)
    found: Value = b.apply("matmul", v, scores, name="values")
    return found


def shrunk(b: Builder, name: str, x: Value, width: Dim, unshuffled: bool, *, shortcut: bool = True) -> Value:
    """Applies DCDownBlock2d: a convolution to half the size, by a stride or by moving squares of places into channels;
    and the means of what such squares hold."""
    area = FACTOR * FACTOR
    with b.scope(name):
        if unshuffled:
            y = conv(b, "conv", x, exact_div(width, area, "block_out_channels"))
            y = b.apply("pixel_unshuffle", y, name="unshuffled", downscale_factor=FACTOR)
        else:
            y = conv(b, "conv", x, width, stride=FACTOR)
        if not shortcut:
            return y
        z = b.apply("pixel_unshuffle", x, name="shortcut", downscale_factor=FACTOR)
        z = grouped_mean(b, "shortcut_mean", z, exact_div(z.spec.shape[1], width, "block_out_channels"))
        return b.apply("add", y, z, name="with_shortcut")


def grown(b: Builder, name: str, x: Value, width: Dim, shuffled: bool, *, shortcut: bool = True) -> Value:
    """Applies DCUpBlock2d: a convolution to twice the size, by moving channels into squares of places or after such
    squares repeat a place; and channels of x repeated and moved so."""
    area = FACTOR * FACTOR
    with b.scope(name):
        if shuffled:
            y = conv(b, "conv", x, area * width)
            y = b.apply("pixel_shuffle", y, name="shuffled", upscale_factor=FACTOR)
        else:
            sides = tuple(FACTOR * side for side in x.spec.shape[2:])
            y = conv(b, "conv", b.apply("upsample_nearest", x, name="interpolated", size=sides), width)
        if not shortcut:
            return y
        z = repeated(b, "shortcut", x, exact_div(area * width, x.spec.shape[1], "block_out_channels"))
        z = b.apply("pixel_shuffle", z, name="shortcut_shuffled", upscale_factor=FACTOR)
        return b.apply("add", y, z, name="with_shortcut")


def grouped_mean(b: Builder, name: str, x: Value, count: Dim) -> Value:
    """Returns the means of each `count` channels of a map."""
    batch, channels, *sides = x.spec.shape
    x = b.apply("reshape", x, name=f"{name}_groups", shape=(batch, exact_div(channels, count), count, *sides))
    found: Value = b.apply("mean", x, name=name, dim=(2,))
    return found


def repeated(b: Builder, name: str, x: Value, count: Dim) -> Value:
    """Returns each channel of a map `count` times."""
    batch, channels, *sides = x.spec.shape
    x = b.apply("reshape", x, name=f"{name}_one", shape=(batch, channels, 1, *sides))
    x = b.apply("expand", x, name=f"{name}_all", shape=(batch, channels, count, *sides))
    x = b.apply("clone", x, name=f"{name}_copied")
    found: Value = b.apply("reshape", x, name=name, shape=(batch, channels * count, *sides))
    return found
