"""The blocks of autoencoders of videos that work through a video in pieces: each convolution keeps the last frames that
it was given for the next piece, so that a frame sees none after it (Wan, 2025, arXiv:2503.20314)."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.layers import dropped, resident

from graphacct import Builder, Dim, Value, Workload, exact_div, has_value
from graphacct_diffusers.layers import conv

KEPT = 2
"""Frames that a convolution of 3 frames keeps."""
REPEATED = "repeated"
"""In place of the frames of a first piece, whose one frame is not doubled."""
ALONE = "alone"
"""Under this name, whether the first piece is all of the video."""
Cache = dict[str, Any]
"""What convolutions have kept of the pieces before, by their names."""


def causal(b: Builder, name: str, x: Value, width: Dim, cache: Cache) -> Value:
    """Applies WanCausalConv3d of 3 by 3 by 3 to a piece (batch, channels, frames, height, width), after the frames that
    were kept."""
    before = cache.get(name)
    cache[name] = last_frames(b, f"{name}_kept", x, before)
    count = 0 if before is None else before.spec.shape[2]
    if before is not None:
        x = b.apply("concat", before, x, name=f"{name}_with_kept", dim=2)
    x = b.apply("pad", x, name=f"{name}_padded", padding=((0, 0), (0, 0), (KEPT - count, 0), (1, 1), (1, 1)))
    return conv(b, name, x, width, padding=(0, 0, 0))


def last_frames(b: Builder, name: str, x: Value, before: Value | None, zeros: bool = False) -> Value:
    """Returns a copy of the last frames of a piece; of a piece of one frame with the last one `before`, or with one of
    zeros."""
    frames = x.spec.shape[2]
    length = min(frames, KEPT) if has_value(frames) else KEPT
    kept = b.apply("slice", x, name=f"{name}_view", dim=2, start=frames - length, length=length)
    kept = b.apply("clone", kept, name=name)
    if length < KEPT and zeros:
        before = b.apply("full", name=f"{name}_zeros", shape=kept.spec.shape, dtype=kept.spec.dtype)
    if length < KEPT and before is not None:
        one = before
        if before.spec.shape[2] > 1:
            one = b.apply("slice", before, name=f"{name}_last", dim=2, start=before.spec.shape[2] - 1, length=1)
        kept = b.apply("concat", one, kept, name=f"{name}_two", dim=2)
    return kept


def pointwise(b: Builder, name: str, x: Value, width: Dim) -> Value:
    """Applies WanCausalConv3d of one place, which copies what it is given."""
    return conv(b, name, b.apply("clone", x, name=f"{name}_padded"), width, 1)


def channel_norm(b: Builder, name: str, x: Value, rank: int = 3) -> Value:
    """Applies WanRMS_norm: each place's channels divided by their length, in float32, and a gain of `rank` further
    dimensions."""
    channels = x.spec.shape[1]
    with b.scope(name):
        y = x if b.dtype == "float32" else b.apply("cast", x, name="wide", dtype="float32")
        length = b.apply(
            "clamp", b.apply("vector_norm", y, name="length", dim=(1,), keepdim=True), name="length_above_0"
        )
        y = b.apply("div", y, b.apply("expand", length, name="lengths", shape=y.spec.shape), name="normalised")
        y = y if b.dtype == "float32" else b.apply("cast", y, name="as_computed", dtype=b.dtype)
        y = b.apply("scale", y, name="scaled")
        y = b.apply("mul", y, b.parameter("gamma", (channels, *(1,) * rank)), name="gained")
        return b.apply("shift", y, name="shifted")


def residual(b: Builder, name: str, x: Value, width: Dim, cache: Cache, dropout: float, workload: Workload) -> Value:
    """Applies WanResidualBlock: norm, activation and convolution, twice."""
    with b.scope(name):
        h = x if x.spec.shape[1] == width else pointwise(b, "conv_shortcut", x, width)
        y = b.apply("silu", channel_norm(b, "norm1", x), name="nonlinearity_1")
        y = causal(b, "conv1", y, width, scoped(cache, name))
        y = b.apply("silu", channel_norm(b, "norm2", y), name="nonlinearity_2")
        y = causal(b, "conv2", dropped(b, "dropout", y, dropout, workload), width, scoped(cache, name))
        return b.apply("add", y, h, name="residual")


def scoped(cache: Cache, name: str) -> Cache:
    """Returns what the convolutions of a module have kept."""
    found: Cache = cache.setdefault(name, {ALONE: cache[ALONE]})
    return found


def over_time(b: Builder, width: Dim, taken: Dim) -> None:
    """Adds a convolution over time that stays in memory and does not run, in the first piece."""
    resident(
        b,
        "time_conv",
        b.parameter("time_conv.weight", (width, taken, 3, 1, 1)),
        b.parameter("time_conv.bias", (width,)),
    )


def by_frame(b: Builder, name: str, x: Value) -> Value:
    """Returns a video (batch, channels, frames, height, width) as pictures (batch * frames, channels, …)."""
    batch, channels, frames, *sides = x.spec.shape
    x = b.apply("permute", x, name=f"{name}_frames_first", dims=(0, 2, 1, 3, 4))
    found: Value = b.apply("reshape", x, name=name, shape=(batch * frames, channels, *sides))
    return found


def as_video(b: Builder, name: str, x: Value, frames: Dim) -> Value:
    """Returns pictures as a video of so many frames: a view."""
    count, channels, *sides = x.spec.shape
    x = b.apply("reshape", x, name=f"{name}_frames", shape=(exact_div(count, frames), frames, channels, *sides))
    found: Value = b.apply("permute", x, name=name, dims=(0, 2, 1, 3, 4))
    return found


def attention(b: Builder, name: str, x: Value) -> Value:
    """Applies WanAttentionBlock: one head, in each frame by itself."""
    _, channels, frames, *sides = x.spec.shape
    with b.scope(name):
        y = channel_norm(b, "norm", by_frame(b, "pictures", x), 2)
        y = conv(b, "to_qkv", y, 3 * channels, 1)
        count = y.spec.shape[0]
        y = b.apply("reshape", y, name="flat", shape=(count, 1, 3 * channels, sides[0] * sides[1]))
        y = b.apply("contiguous", b.apply("permute", y, name="by_place", dims=(0, 1, 3, 2)), name="in_order")
        q, k, v = b.apply("split", y, name="qkv", parts=3, dim=-1)
        y = b.apply("scaled_dot_product_attention", q, k, v, name="attention")
        y = b.apply("reshape", y, name="one_head", shape=(count, sides[0] * sides[1], channels))
        y = b.apply("permute", y, name="channels_first", dims=(0, 2, 1))
        y = b.apply("reshape", y, name="map", shape=(count, channels, *sides))
        y = as_video(b, "video", conv(b, "proj", y, channels, 1), frames)
        return b.apply("add", y, x, name="residual")


def grown(b: Builder, name: str, x: Value, width: Dim, cache: Cache, *, in_time: bool) -> Value:
    """Applies WanResample that doubles the sides, and `in_time` the frames of all pieces but the first."""
    with b.scope(name):
        if in_time:
            x = doubled_frames(b, x, cache)
        frames = x.spec.shape[2]
        y = by_frame(b, "pictures", x)
        y = y if b.dtype == "float32" else b.apply("cast", y, name="wide", dtype="float32")
        y = b.apply("upsample_nearest", y, name="resample.0", size=tuple(2 * side for side in y.spec.shape[2:]))
        y = y if b.dtype == "float32" else b.apply("cast", y, name="as_computed", dtype=b.dtype)
        return as_video(b, "video", conv(b, "resample.1", y, width), frames)


def doubled_frames(b: Builder, x: Value, cache: Cache) -> Value:
    """Returns a piece with twice its frames, by a convolution over time to twice the channels; the first one as it
    is."""
    before = cache.get("time_conv")
    batch, channels, frames, *sides = x.spec.shape
    if before is None:
        cache["time_conv"] = REPEATED
        if cache[ALONE]:
            over_time(b, 2 * channels, channels)
        return x
    known = None if before is REPEATED else before
    cache["time_conv"] = last_frames(b, "time_conv_kept", x, known, zeros=known is None)
    count = 0
    if known is not None:
        x = b.apply("concat", known, x, name="time_conv_with_kept", dim=2)
        count = known.spec.shape[2]
    x = b.apply("pad", x, name="time_conv_padded", padding=((0, 0), (0, 0), (KEPT - count, 0), (0, 0), (0, 0)))
    y = conv(b, "time_conv", x, 2 * channels, (3, 1, 1), padding=(0, 0, 0))
    y = b.apply("reshape", y, name="pairs", shape=(batch, 2, channels, frames, *sides))
    halves = [
        b.apply(
            "reshape",
            b.apply("select", y, name=f"half_{i}", dim=1, index=i),
            name=f"column_{i}",
            shape=(batch, channels, frames, 1, *sides),
        )
        for i in range(2)
    ]
    y = b.apply("concat", *halves, name="in_turn", dim=3)
    found: Value = b.apply("reshape", y, name="doubled", shape=(batch, channels, 2 * frames, *sides))
    return found


def shrunk(b: Builder, name: str, x: Value, cache: Cache, *, in_time: bool) -> Value:
    """Applies WanResample that halves the sides, and `in_time` the frames of all pieces but the first."""
    channels, frames = x.spec.shape[1:3]
    with b.scope(name):
        y = by_frame(b, "pictures", x)
        y = b.apply("pad", y, name="resample.0", padding=((0, 0), (0, 0), (0, 1), (0, 1)))
        y = as_video(b, "video", conv(b, "resample.1", y, channels, stride=2, padding=0), frames)
        if not in_time:
            return y
        before = cache.get("time_conv")
        if before is None:
            cache["time_conv"] = b.apply("clone", y, name="time_conv_kept")
            if cache[ALONE]:
                over_time(b, channels, channels)
            return y
        last = b.apply("slice", y, name="time_conv_last", dim=2, start=frames - 1, length=1)
        cache["time_conv"] = b.apply("clone", last, name="time_conv_kept")
        y = b.apply("concat", before, y, name="time_conv_with_kept", dim=2)
        y = b.apply("clone", y, name="time_conv_padded")
        return conv(b, "time_conv", y, channels, (3, 1, 1), stride=(2, 1, 1), padding=(0, 0, 0))


def mean_of_groups(b: Builder, name: str, x: Value, width: Dim, times: int, sides: int) -> Value:
    """Applies AvgDown3D: the means of groups of what blocks of `times` frames and `sides` by `sides` places hold."""
    batch, channels, frames, height, columns = x.spec.shape
    front = (times - frames % times) % times
    with b.scope(name):
        x = b.apply("pad", x, name="padded", padding=((0, 0), (0, 0), (front, 0), (0, 0), (0, 0)))
        count = (frames + front) // times
        grid = (count, times, exact_div(height, sides), sides, exact_div(columns, sides), sides)
        x = b.apply("reshape", x, name="blocks", shape=(batch, channels, *grid))
        x = b.apply("permute", x, name="by_block", dims=(0, 1, 3, 5, 7, 2, 4, 6))
        x = b.apply("contiguous", x, name="in_order")
        each = exact_div(channels * times * sides * sides, width, "channels of a block / out")
        x = b.apply("reshape", x, name="groups", shape=(batch, width, each, count, height // sides, columns // sides))
        return b.apply("mean", x, name="mean", dim=(2,))


def repeated(b: Builder, name: str, x: Value, width: Dim, times: int, sides: int, *, first: bool) -> Value:
    """Applies DupUp3D: channels repeated, and moved into blocks of `times` frames and `sides` by `sides` places; of the
    `first` piece's block the last frame alone."""
    batch, channels, frames, height, columns = x.spec.shape
    count = exact_div(width * times * sides * sides, channels, "channels of a block / in")
    with b.scope(name):
        x = b.apply("reshape", x, name="one", shape=(batch, channels, 1, frames, height, columns))
        x = b.apply("expand", x, name="all", shape=(batch, channels, count, frames, height, columns))
        x = b.apply("clone", x, name="copied")
        shape = (batch, width, times, sides, sides, frames, height, columns)
        x = b.apply("reshape", x, name="blocks", shape=shape)
        x = b.apply("permute", x, name="by_block", dims=(0, 1, 5, 2, 6, 3, 7, 4))
        x = b.apply("contiguous", x, name="in_order")
        x = b.apply("reshape", x, name="video", shape=(batch, width, frames * times, height * sides, columns * sides))
        if not first:
            return x
        return b.apply("slice", x, name="last", dim=2, start=times - 1, length=frames * times - times + 1)
