"""How long each token of a text is to sound: a predictor, or a flow of noise that a text conditions.

Kim et al., 2021 (arXiv:2106.06103); splines: Durkan et al., 2019 (arXiv:1906.04032). Streams are (batch, channels,
tokens).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct import Builder, Dim, Value, Workload, equal, frozen
from graphacct_architectures.audio.parts.stem import convolution
from graphacct_architectures.layers import dropped, layer_norm, resident
from graphacct_architectures.residing import unread

HALF = 1
"""Channels of each half of the noise, which has two."""


@frozen
class Durations:
    """A flow of noise.

    Attributes:
        width: Channels of the text's stream.
        kernel: Taps of the convolutions in depth; layer by layer the dilation is its power.
        layers: Layers of each stack of convolutions in depth.
        flows: Flows of splines; the first of them is in memory alone.
        bins: Pieces of each spline.
        dropout: Dropout in training.
        speaker: The width of a speaker's vector, whose projection is in memory; 0 for none.
    """

    width: Dim
    kernel: int
    layers: int
    flows: int
    bins: Dim
    dropout: float
    speaker: Dim


def in_depth(d: Durations, dropout: float, workload: Workload, b: Builder, x: Value, mask: Value) -> Value:
    """Returns x after the convolutions in depth, each with its projection; the builder is in their scope."""
    for index in range(d.layers):
        gap = d.kernel**index
        more: dict[str, Any] = {} if gap == 1 else {"dilation": gap}
        y = b.apply("mul", x, mask, name=f"masked_{index}")
        padding = (d.kernel * gap - gap) // 2
        more |= {"padding": padding} if padding else {}
        y = convolution(b, f"convs_dilated.{index}", y, d.width, d.kernel, groups=d.width, **more)
        y = acted(b, f"norms_1.{index}", y)
        y = acted(b, f"norms_2.{index}", convolution(b, f"convs_pointwise.{index}", y, d.width, 1))
        y = dropped(b, f"dropout_{index}", y, dropout, workload)
        x = b.apply("add", x, y, name=f"residual_{index}")
    return b.apply("mul", x, mask, name="masked")


def acted(b: Builder, name: str, x: Value) -> Value:
    """Returns x after a norm over its channels, and GELU."""
    x = b.apply("transpose", x, name=f"{name}_channels_last", dims=(1, 2))
    x = layer_norm(b, name, x)
    x = b.apply("transpose", x, name=f"{name}_channels_first", dims=(1, 2))
    return b.apply("gelu", x, name=f"{name}_act")


def by_noise(d: Durations, workload: Workload, b: Builder, x: Value, mask: Value) -> Value:
    """Returns the logarithms of the durations, (batch, 1, tokens); the builder is in the predictor's scope."""
    batch, width, count = x.spec.shape
    x = convolution(b, "conv_pre", b.apply("detach", x, name="detached"), width, 1)
    speaker_resides(d, width, b)
    with b.scope("conv_dds"):
        x = in_depth(d, d.dropout, workload, b, x, mask)
    x = b.apply("mul", convolution(b, "conv_proj", x, width, 1), mask, name="condition")
    noise = b.apply("random", name="noise", shape=(batch, 2 * HALF, count), dtype=b.dtype)
    made = b.apply("scale", noise, name="noise_scaled")
    for index in (*reversed(range(2, d.flows + 1)), 0):
        made = b.apply("flip", made, name=f"flipped_{index}", dims=(1,))
        with b.scope(f"flows.{index}"):
            made = affine(b, made, mask) if index == 0 else flowed(d, workload, b, made, mask, x)
    if d.flows:
        shapes = (noise.spec.shape, mask.spec.shape, x.spec.shape)
        unread(b, "flows.1", partial(flowed, d, workload), *shapes)
    after(d, workload, b, x, made, mask)
    return b.apply("slice", made, name="log_durations", dim=1, start=0, length=HALF)


def affine(b: Builder, x: Value, mask: Value) -> Value:
    """Returns noise with a learned mean and scale; the builder is in their scope."""
    mean, scale = b.parameter("translate", (2 * HALF, 1)), b.parameter("log_scale", (2 * HALF, 1))
    share = b.apply("exp", b.apply("neg", scale, name="less"), name="share")
    x = b.apply("mul", b.apply("sub", x, mean, name="centred"), share, name="scaled")
    return b.apply("mul", x, mask, name="masked")


def flowed(d: Durations, workload: Workload, b: Builder, x: Value, mask: Value, condition: Value) -> Value:
    """Returns noise of which one half has passed a spline that the other half and the text choose; the builder is in
    the flow's scope."""
    batch, _, count = x.spec.shape
    first = b.apply("slice", x, name="first", dim=1, start=0, length=HALF)
    second = b.apply("slice", x, name="second", dim=1, start=HALF, length=HALF)
    y = convolution(b, "conv_pre", first, d.width, 1)
    with b.scope("conv_dds"):
        y = b.apply("add", y, condition, name="conditioned")
        y = in_depth(d, 0.0, workload, b, y, mask)
    pieces = 3 * d.bins - 1
    y = b.apply("mul", convolution(b, "conv_proj", y, HALF * pieces, 1), mask, name="pieces")
    y = b.apply("reshape", y, name="of_each", shape=(batch, HALF, pieces, count))
    y = b.apply("permute", y, name="pieces_last", dims=(0, 1, 3, 2))
    second = spline(d, b, second, y)
    return b.apply("mul", b.apply("concat", first, second, name="together", dim=1), mask, name="masked")


def spline(d: Durations, b: Builder, x: Value, pieces: Value) -> Value:
    """Returns x through the inverse of a spline of quadratic quotients, as if all of x were between its ends: `pieces`
    (..., 3 bins - 1) are widths, heights and slopes."""

    def part(name: str, start: Dim, length: Dim) -> Value:
        return b.apply("slice", pieces, name=name, dim=3, start=start, length=length)

    def ends(name: str, start: Dim) -> tuple[Value, Value]:
        own = b.apply("softmax", b.apply("scale", part(name, start, d.bins), name=f"{name}_scaled"), name=f"{name}_of")
        own = b.apply("shift", b.apply("scale", own, name=f"{name}_share"), name=f"{name}_least")
        own = b.apply("cumsum", own, name=f"{name}_sums", dim=3)
        own = b.apply("pad", own, name=f"{name}_padded", padding=((1, 0),))
        own = b.apply("shift", b.apply("scale", own, name=f"{name}_wide"), name=f"{name}_ends")
        right = b.apply("slice", own, name=f"{name}_right", dim=3, start=1, length=d.bins)
        left = b.apply("slice", own, name=f"{name}_left", dim=3, start=0, length=d.bins)
        return left, b.apply("sub", right, left, name=f"{name}_sizes")

    lefts, widths = ends("widths", 0)
    slopes = b.apply("pad", part("slopes", 2 * d.bins, d.bins - 1), name="slopes_padded", padding=((1, 1),))
    slopes = b.apply("shift", b.apply("softplus", slopes, name="slopes_positive"), name="slopes_least")
    bottoms, heights = ends("heights", d.bins)
    shape = (*x.spec.shape, 1)
    column = b.apply("reshape", x, name="column", shape=shape)
    below = b.apply("ge", column, bottoms, name="below")
    place = b.apply("shift", b.apply("sum", below, name="place_sum", dim=3, keepdim=True), name="place")

    def at(name: str, table: Value) -> Value:
        return b.apply("gather", table, place, name=name, dim=3)

    left, width = at("left", lefts), at("width", widths)
    bottom, slope = at("bottom", bottoms), at("slope", b.apply("div", heights, widths, name="slopes_of_pieces"))
    before = at("slope_before", b.apply("slice", slopes, name="slopes_before", dim=3, start=0, length=d.bins))
    behind = at("slope_behind", b.apply("slice", slopes, name="slopes_behind", dim=3, start=1, length=d.bins))
    height = at("height", heights)
    bend = b.apply(
        "sub", b.apply("add", before, behind, name="both"), b.apply("scale", slope, name="twice"), name="bend"
    )
    over = b.apply("sub", column, bottom, name="over")
    bent = b.apply("mul", over, bend, name="bent")
    second = b.apply("mul", height, b.apply("sub", slope, before, name="rise"), name="rising")
    second = b.apply("add", second, bent, name="a")
    first = b.apply("sub", b.apply("mul", height, before, name="starting"), bent, name="b")
    constant = b.apply("mul", b.apply("neg", slope, name="falling"), over, name="c")
    products = b.apply("mul", b.apply("scale", second, name="four"), constant, name="product")
    root = b.apply("sqrt", b.apply("sub", b.apply("square", first, name="square"), products, name="under"), name="root")
    bottom_of = b.apply("sub", b.apply("neg", first, name="less_b"), root, name="denominator")
    share = b.apply("div", b.apply("scale", constant, name="two_c"), bottom_of, name="share")
    made = b.apply("add", b.apply("mul", share, width, name="along"), left, name="along_from")
    return b.apply("reshape", made, name="through", shape=x.spec.shape)


def after(d: Durations, workload: Workload, b: Builder, x: Value, noise: Value, mask: Value) -> None:
    """Adds what a training with durations would run: it is in memory."""
    one = (x.spec.shape[0], HALF, x.spec.shape[2])
    text, half, both, seen = x.spec.shape, one, noise.spec.shape, mask.spec.shape
    unread(b, "", lambda own, x: convolution(own, "post_conv_pre", x, d.width, 1), half)
    unread(b, "", lambda own, x: convolution(own, "post_conv_proj", x, d.width, 1), text)
    unread(b, "post_conv_dds", lambda own, x, mask: in_depth(d, 0.0, workload, own, x, mask), text, seen)
    unread(b, "post_flows.0", affine, both, seen)
    flow = partial(flowed, d, workload)
    for index in range(1, d.flows + 1):
        unread(b, f"post_flows.{index}", flow, both, seen, text)


def speaker_resides(d: Durations, width: Dim, b: Builder) -> None:
    """Adds the projection of a speaker's vector, which does not run."""
    if not equal(d.speaker, 0):
        own = (b.parameter("cond.weight", (width, d.speaker, 1)), b.parameter("cond.bias", (width,)))
        resident(b, "cond", *own)


def predicted(d: Durations, width: Dim, workload: Workload, b: Builder, x: Value, mask: Value) -> Value:
    """Returns the logarithms of the durations, (batch, 1, tokens), of a predictor with two convolutions of `width`
    channels; the builder is in its scope."""
    speaker_resides(d, d.width, b)
    x = b.apply("detach", x, name="detached")
    for index in (1, 2):
        x = b.apply("mul", x, mask, name=f"masked_{index}")
        x = convolution(b, f"conv_{index}", x, width, d.kernel, padding=d.kernel // 2)
        x = b.apply("relu", x, name=f"act_{index}")
        x = b.apply("transpose", x, name=f"channels_last_{index}", dims=(1, 2))
        x = b.apply("transpose", layer_norm(b, f"norm_{index}", x), name=f"channels_first_{index}", dims=(1, 2))
        x = dropped(b, f"dropout_{index}", x, d.dropout, workload)
    x = convolution(b, "proj", b.apply("mul", x, mask, name="masked_3"), 1, 1)
    return b.apply("mul", x, mask, name="masked")
