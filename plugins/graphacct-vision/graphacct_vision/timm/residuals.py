"""The graphs of the blocks that EfficientNets and MobileNets are lists of, under the names of timm's modules
(timm's models/_efficientnet_blocks.py)."""

from __future__ import annotations

from functools import partial

import attrs

from graphacct import Builder, Value, frozen
from graphacct_vision.parts.layers import convolution
from graphacct_vision.timm.blocks import Block
from graphacct_vision.timm.convolutions import Style, blurred, convolved, normed, squeezed


@frozen(kw_only=True)
class Made:
    """A block inside a model.

    Attributes:
        block: What the table says of it.
        taken: The channels that it is given.
        wide: Those of its inner map.
        given: Those that it gives.
        narrow: Those of squeeze and excitation, 0 for none.
        act: Its activation.
        squeeze_act: The activation of squeeze and excitation.
        gate: The one at its end.
        scaled: Whether a block of MobileNet-v4 has a learned gain of each channel.
    """

    block: Block
    taken: int
    wide: int
    given: int
    narrow: int
    act: str
    squeeze_act: str
    gate: str
    scaled: bool

    def groups(self, channels: int, default: int) -> int:
        """Returns the groups of a convolution whose groups have `default` channels unless the table says otherwise,
        0 for one group."""
        size = default if self.block.group is None else self.block.group
        return channels // size if size else 1


def applied(made: Made, style: Style, b: Builder, x: Value) -> Value:
    """Adds a block; the builder is in its scope."""
    block = made.block
    style = attrs.evolve(style, act=made.act)
    b.hold(x)
    bodies = {"ds": separable, "dsa": separable, "ir": inverted, "er": edge, "cn": plain, "uir": universal}
    y = {**bodies, "mqa": attended}[block.kind](made, style, b, x)
    same = made.taken == made.given and block.stride == 1
    skips = block.kind not in ("cn", "dsa") if block.skip is None else block.skip
    return b.apply("add", y, x, name="residual") if same and skips else y


def reduced(style: Style, b: Builder, name: str, bn: str, x: Value, channels: int, *rest: object, **own: int) -> Value:
    """Applies a convolution, its norm with an activation, and what blurs in place of its stride."""
    stride = own.pop("stride")
    blurs = style.blur and stride > 1
    x = convolved(style, b, name, x, channels, *rest, stride=1 if blurs else stride, **own)  # type: ignore[arg-type]
    x = normed(style, b, bn, x)
    return blurred(style, b, "aa", x, stride) if blurs else x


def excited(made: Made, b: Builder, x: Value) -> Value:
    """Applies squeeze and excitation, if the block has it."""
    return squeezed(b, "se", x, made.narrow, act=made.squeeze_act, gate=made.gate) if made.narrow else x


def plain(made: Made, style: Style, b: Builder, x: Value) -> Value:
    """Adds a convolution."""
    block = made.block
    groups = made.groups(made.taken, 0)
    return reduced(style, b, "conv", "bn1", x, made.given, block.kernels, stride=block.stride, groups=groups)


def separable(made: Made, style: Style, b: Builder, x: Value) -> Value:
    """Adds a convolution of each channel and one over channels."""
    block, taken = made.block, made.taken
    y = reduced(style, b, "conv_dw", "bn1", x, taken, block.kernels, stride=block.stride, groups=made.groups(taken, 1))
    y = convolved(style, b, "conv_pw", excited(made, b, y), made.given, block.end)
    return normed(style, b, "bn2", y, act=block.kind == "dsa")


def inverted(made: Made, style: Style, b: Builder, x: Value) -> Value:
    """Adds a convolution that widens, one of each channel and one that narrows."""
    block, wide = made.block, made.wide
    y = normed(style, b, "bn1", convolved(style, b, "conv_pw", x, wide, block.start))
    y = reduced(style, b, "conv_dw", "bn2", y, wide, block.kernels, stride=block.stride, groups=made.groups(wide, 1))
    y = convolved(style, b, "conv_pwl", excited(made, b, y), made.given, block.end)
    return normed(style, b, "bn3", y, act=False)


def edge(made: Made, style: Style, b: Builder, x: Value) -> Value:
    """Adds a convolution that widens and one that narrows."""
    block, wide = made.block, made.wide
    y = reduced(style, b, "conv_exp", "bn1", x, wide, block.kernels, stride=block.stride, groups=made.groups(wide, 0))
    y = convolved(style, b, "conv_pwl", excited(made, b, y), made.given, block.end)
    return normed(style, b, "bn2", y, act=False)


def unit(
    style: Style,
    b: Builder,
    name: str,
    x: Value,
    channels: int,
    kernel: int = 1,
    *,
    act: bool = True,
    stride: int = 1,
    groups: int = 1,
) -> Value:
    """Applies a module `name` of a convolution, a norm and what blurs in place of a stride."""
    blurs = style.blur and stride > 1
    with b.scope(name):
        x = convolved(style, b, "conv", x, channels, (kernel,), stride=1 if blurs else stride, groups=groups)
        x = normed(style, b, "bn", x, act=act)
        return blurred(style, b, "aa", x, stride) if blurs else x


def universal(made: Made, style: Style, b: Builder, x: Value) -> Value:
    """Adds a convolution that widens and one that narrows, with convolutions of each channel around and between."""
    block, wide = made.block, made.wide
    (first,), (middle,), (last,) = block.start, block.kernels, block.end
    part = partial(unit, style, b)
    if first:
        groups = made.groups(made.taken, 1)
        x = part("dw_start", x, made.taken, first, act=False, stride=1 if middle else block.stride, groups=groups)
    y = part("pw_exp", x, wide)
    if middle:
        y = part("dw_mid", y, wide, middle, stride=block.stride, groups=made.groups(wide, 1))
    y = part("pw_proj", excited(made, b, y), made.given, act=False)
    if last:
        stride = 1 if first or middle else block.stride
        y = part("dw_end", y, made.given, last, act=False, stride=stride, groups=made.groups(made.given, 1))
    return gained(b, y) if made.scaled else y


def gained(b: Builder, x: Value) -> Value:
    """Returns the map times a learned gain of each channel."""
    channels = x.spec.shape[1]
    with b.scope("layer_scale"):
        gain = b.apply("reshape", b.parameter("gamma", (channels,)), name="gains", shape=(1, channels, 1, 1))
        return b.apply("mul", x, gain, name="gained")


def attended(made: Made, style: Style, b: Builder, x: Value) -> Value:
    """Adds attention over places, whose heads share keys and values; timm always fuses it."""
    block = made.block
    batch, _, height, width = x.spec.shape
    x = normed(style, b, "norm", x, act=False)
    with b.scope("attn"):
        q = convolution(b, "query.proj", x, block.heads * block.key_width)
        q = b.apply("reshape", q, name="q_heads", shape=(batch, block.heads, block.key_width, height * width))
        q = b.apply("contiguous", b.apply("transpose", q, name="q_places", dims=(-1, -2)), name="q")
        k, v = (shared(made, style, b, name, x) for name in ("key", "value"))
        y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa", broadcast=True)
        y = b.apply("transpose", y, name="by_place", dims=(1, 2))
        y = b.apply("reshape", y, name="merge_heads", shape=(batch, height, width, block.heads * block.key_width))
        y = b.apply("contiguous", b.apply("permute", y, name="channels_second", dims=(0, 3, 1, 2)), name="merged")
        y = convolution(b, "output.proj", y, made.given)
    return gained(b, y) if made.scaled else y


def shared(made: Made, style: Style, b: Builder, name: str, x: Value) -> Value:
    """Returns the keys or values that all heads share, (images, 1, places, width)."""
    block = made.block
    with b.scope(name):
        if block.key_stride > 1:
            x = convolved(
                style, b, "down_conv", x, made.taken, block.kernels, stride=block.key_stride, groups=made.taken
            )
            x = normed(style, b, "norm", x, act=False)
        x = convolution(b, "proj", x, block.key_width)
    batch, width, height, across = x.spec.shape
    x = b.apply("reshape", x, name=f"{name}_places", shape=(batch, width, height * across))
    x = b.apply("transpose", x, name=f"{name}_places_first", dims=(1, 2))
    x = b.apply("reshape", x, name=f"{name}_head", shape=(batch, 1, height * across, width))
    return b.apply("contiguous", x, name=f"{name}_shared")
