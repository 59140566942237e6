"""The modules that diffusers' models share: convolutions, group norms, embeddings of the time step, feed-forwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct_architectures.layers import dropped, linear

from graphacct import Builder, ConfigError, Dim, Value, Workload, exact_div, has_value, same
from graphacct_diffusers.keys import ACTIVATIONS

FEED_FORWARDS = ("geglu", "gelu", "gelu-approximate", "geglu-approximate", "swiglu", "linear-silu")
"""The activations of diffusers' FeedForward."""


def conv(
    b: Builder,
    name: str,
    x: Value,
    channels: Dim,
    kernel: Any = 3,
    *,
    stride: Any = 1,
    padding: Any = None,
    groups: Dim = 1,
    bias: bool = True,
) -> Value:
    """Applies a torch convolution over all dimensions after the channels, padded by half the kernel unless told."""
    rank = len(x.spec.shape) - 2
    sides = tuple(kernel) if isinstance(kernel, (tuple, list)) else (kernel,) * rank
    pad = tuple((side - 1) // 2 for side in sides) if padding is None else padding
    given = [b.parameter(f"{name}.weight", (channels, exact_div(x.spec.shape[1], groups, "channels"), *sides))]
    if bias:
        given.append(b.parameter(f"{name}.bias", (channels,)))
    by_group = {} if same(groups, 1) else {"groups": groups}
    return b.apply("convolution", x, *given, name=name, stride=stride, padding=pad, **by_group)


def group_norm(b: Builder, name: str, x: Value, groups: Dim) -> Value:
    """Applies torch.nn.GroupNorm with weight and bias."""
    channels = x.spec.shape[1]
    if has_value(channels) and has_value(groups) and channels % groups:
        raise ConfigError(f"{name} has {channels} channels, which do not divide into {groups} groups (norm_num_groups)")
    given = [b.parameter(f"{name}.{part}", (channels,)) for part in ("weight", "bias")]
    return b.apply("group_norm", x, *given, name=name, groups=groups)


def act(b: Builder, kind: str, x: Value, name: str) -> Value:
    """Applies an activation by diffusers' name."""
    return b.apply(ACTIVATIONS[kind], x, name=name)


def sinusoids(b: Builder, name: str, steps: Value, width: Dim, *, flip: bool = True) -> Value:
    """Returns the sines and cosines of time steps (n,) at `width` / 2 frequencies: (n, width), float32 and then the
    model's dtype."""
    half = width // 2
    rows = steps.spec.shape[0]
    with b.scope(name):
        rates = b.apply("full", name="places", shape=(half,))
        rates = b.apply("exp", b.apply("scale", b.apply("scale", rates, name="logs"), name="exponents"), name="rates")
        column = b.apply("reshape", steps, name="column", shape=(rows, 1))
        column = b.apply("cast", column, name="wide", dtype="float32")
        angles = b.apply("mul", column, b.apply("reshape", rates, name="row", shape=(1, half)), name="products")
        angles = b.apply("scale", angles, name="angles")
        found = b.apply("concat", b.apply("sin", angles, name="sin"), b.apply("cos", angles, name="cos"), dim=-1)
        if flip:
            parts = [b.apply("slice", found, name=f"half_{i}", dim=-1, start=i * half, length=half) for i in (1, 0)]
            found = b.apply("concat", *parts, name="flipped", dim=-1)
        if has_value(width) and width % 2:
            found = b.apply("pad", found, name="padded", padding=((0, 1),))
        return b.apply("cast", found, name="as_computed", dtype=b.dtype)


def fourier(b: Builder, name: str, steps: Value, width: Dim) -> Value:
    """Applies GaussianFourierProjection to time steps: its frequencies are a parameter that is not trained."""
    half = exact_div(width, 2, "time_embedding_dim / 2")
    rows = steps.spec.shape[0]
    with b.scope(name):
        rates = b.apply("reshape", b.parameter("weight", (half,), frozen=True), name="row", shape=(1, half))
        column = b.apply("reshape", steps, name="column", shape=(rows, 1))
        angles = b.apply("mul", b.apply("cast", column, name="wide", dtype=b.dtype), rates, name="products")
        angles = b.apply("scale", b.apply("scale", angles, name="doubled"), name="angles")
        return b.apply("concat", b.apply("sin", angles, name="sin"), b.apply("cos", angles, name="cos"), dim=-1)


def time_embedding(
    b: Builder,
    name: str,
    x: Value,
    width: Dim,
    *,
    kind: str = "silu",
    out: Dim | None = None,
    post: str | None = None,
    condition: Value | None = None,
) -> Value:
    """Applies diffusers' TimestepEmbedding: two linear layers with an activation between them. A `condition` is
    projected to x's width and added first; `post` is an activation after all."""
    with b.scope(name):
        if condition is not None:
            x = b.apply("add", x, linear(b, "cond_proj", condition, x.spec.shape[-1], bias=False), name="conditioned")
        x = linear(b, "linear_1", x, width)
        x = linear(b, "linear_2", act(b, kind, x, "act"), width if out is None else out)
        return act(b, post, x, "post_act") if post else x


def text_projection(b: Builder, name: str, x: Value, width: Dim, kind: str = "gelu_tanh") -> Value:
    """Applies diffusers' PixArtAlphaTextProjection: two linear layers with an activation (an operator's name)."""
    with b.scope(name):
        x = b.apply(kind, linear(b, "linear_1", x, width), name="act_1")
        return linear(b, "linear_2", x, width)


def feed_forward(
    b: Builder, name: str, x: Value, kind: str, workload: Workload, *, inner: Dim | None = None, dropout: float = 0.0
) -> Value:
    """Applies diffusers' FeedForward: a projection with an activation or a gate (`net.0`), dropout, a projection."""
    width = x.spec.shape[-1]
    inner = 4 * width if inner is None else inner
    with b.scope(name):
        x = gated(b, "net.0", x, kind, inner)
        return linear(b, "net.2", dropped(b, "net.1", x, dropout, workload), width)


def gated(b: Builder, name: str, x: Value, kind: str, inner: Dim) -> Value:
    """Applies the first module of a FeedForward."""
    with b.scope(name):
        if kind in ("geglu", "swiglu"):
            both = linear(b, "proj", x, 2 * inner)
            x, gate = b.apply("split", both, name="halves", parts=2, dim=-1)
            gate = b.apply("gelu" if kind == "geglu" else "silu", gate, name="gate")
            return b.apply("mul", x, gate, name="gated")
        x = linear(b, "proj", x, inner)
        if kind == "geglu-approximate":
            gate = b.apply("sigmoid", b.apply("scale", x, name="scaled"), name="gate")
            return b.apply("mul", x, gate, name="gated")
        operator = {"gelu": "gelu", "gelu-approximate": "gelu_tanh", "linear-silu": "silu"}[kind]
        return b.apply(operator, x, name="act")


def parts_of(b: Builder, name: str, x: Value, count: int) -> list[Value]:
    """Returns x (batch, count * width) as `count` views (batch, 1, width)."""
    batch, width = x.spec.shape
    parts = b.apply("split", x, name=name, parts=count, dim=1)
    shape = (batch, 1, exact_div(width, count))
    return [b.apply("reshape", part, name=f"{name}_{i}", shape=shape) for i, part in enumerate(parts)]


def modulated(b: Builder, name: str, x: Value, scale: Value, shift: Value) -> Value:
    """Returns x * (1 + scale) + shift."""
    x = b.apply("mul", x, b.apply("shift", scale, name=f"{name}_gain"), name=f"{name}_scaled")
    return b.apply("add", x, shift, name=name)


def gated_sum(b: Builder, name: str, x: Value, gate: Value, y: Value, *, first: bool = True) -> Value:
    """Returns x + gate * y; with y before x unless it is `first`."""
    y = b.apply("mul", gate, y, name=f"{name}_gated")
    return b.apply("add", *((x, y) if first else (y, x)), name=name)


def tokens(b: Builder, name: str, x: Value) -> Value:
    """Returns a map (batch, channels, *space) as tokens (batch, n, channels): views."""
    batch, channels, *space = x.spec.shape
    count: Any = 1
    for side in space:
        count = count * side
    x = b.apply("reshape", x, name=f"{name}_flat", shape=(batch, channels, count))
    return b.apply("transpose", x, name=name, dims=(1, 2))


def as_map(b: Builder, name: str, x: Value, grid: Sequence[Dim], patch: Dim, channels: Dim) -> Value:
    """Returns tokens of patches (batch, n, patch² * channels) as a map (batch, channels, height, width)."""
    batch = x.spec.shape[0]
    height, width = grid
    x = b.apply("reshape", x, name=f"{name}_patches", shape=(batch, height, width, patch, patch, channels))
    x = b.apply("permute", x, name=f"{name}_permuted", dims=(0, 5, 1, 3, 2, 4))
    return b.apply("reshape", x, name=name, shape=(batch, channels, height * patch, width * patch))


def grid_of(sides: Sequence[Dim], patch: Any, name: str = "patch_size") -> tuple[Dim, ...]:
    """Returns how many patches a map has along each side. Raises ConfigError if they do not fill it."""
    patches = patch if isinstance(patch, tuple) else (patch,) * len(sides)
    for side, size in zip(sides, patches, strict=True):
        if has_value(side) and has_value(size) and side % size:
            raise ConfigError(
                f"image_size gives {side} latents along a side, which {name} {size} does not divide: give another"
            )
    return tuple(exact_div(side, size, f"latents / {name}") for side, size in zip(sides, patches, strict=True))
