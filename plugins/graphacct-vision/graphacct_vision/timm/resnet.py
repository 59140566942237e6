"""ResNets of timm's by their names: ResNeXt, wide ones, with squeeze and excitation, deep stems and blurs, alone or
inside another model (He et al., 2015, arXiv:1512.03385; Xie et al., 2016, arXiv:1611.05431; Zagoruyko and Komodakis,
2016, arXiv:1605.07146; He et al., 2018, arXiv:1812.01187; Wang et al., 2019, arXiv:1910.03151; Bello et al., 2021,
arXiv:2103.07579; timm's models/resnet.py).

The names are those of timm's modules, which are torchvision's too.
"""

from __future__ import annotations

from functools import partial
from math import log2
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, Value, Workload, brief, equal, exact_div, fields, frozen, suggest
from graphacct_vision.parts.inverted import divisible
from graphacct_vision.parts.layers import batch_norm, flat_logits, frozen_norm, group_norm
from graphacct_vision.parts.stages import repeated
from graphacct_vision.timm.bottleneck import scales, split_attention
from graphacct_vision.timm.convolutions import Style, blurred, squeezed
from graphacct_vision.timm.tables import plain, settings

WIDTH, EXPANSION, GROUPS = 64, 4, 32


@frozen(kw_only=True)
class TimmResNet:
    """A ResNet of timm's.

    Attributes:
        depths: Blocks in each of four stages.
        block: `basic` or `bottleneck`, or which in each stage; `resnest` and `res2net` have something else in place of
            the 3x3 convolution.
        groups: Groups of the 3x3 convolution of a bottleneck.
        base: The width of each group in the first stage.
        channels: The width of each stage before a bottleneck widens it.
        stem: `deep` for three convolutions of 3x3 in place of one of 7x7, `tiered` if they grow.
        stem_width: Channels inside a deep stem, half of those that it gives.
        strided: Whether a convolution stands where others have a pool.
        averaged: Whether a shortcut is averaged where it is made smaller, not strided.
        down_kernel: The kernel of a shortcut's convolution.
        narrowed: What a bottleneck's first convolution divides its channels by.
        radix: How many maps ResNeSt's split attention weighs.
        averaged_first: Whether a map is averaged before that where it is made smaller, not after.
        scales: Parts of Res2Net's channels.
        blur: `avg` or `blur` if a map is blurred where it is made smaller.
        gate: `se` or `eca` for what weighs the channels of a block.
        squeeze: The share of channels inside `se`.
        group_norm: Whether norms are over groups of channels.
        stride: How many pixels a place of the last map is wide: 32, or less for one whose last stages are dilated.
        frozen: Whether the norms are what they learned.
        training: Whether a norm uses the batch's statistics.
        image: The side of an image.
    """

    depths: tuple[int, ...]
    block: str | tuple[str, ...] = "bottleneck"
    groups: int = 1
    base: int = WIDTH
    channels: tuple[int, ...] = (64, 128, 256, 512)
    stem: str = ""
    stem_width: int = 32
    strided: bool = False
    averaged: bool = False
    down_kernel: int = 1
    narrowed: int = 1
    radix: int = 1
    averaged_first: bool = False
    scales: int = 1
    blur: str = ""
    gate: str = ""
    squeeze: float = 1 / 16
    group_norm: bool = False
    stride: int = 32
    frozen: bool = False
    training: bool = False
    image: int = 224

    def kind_of(self, stage: int) -> str:
        """Returns what the blocks of a stage are."""
        return self.block if isinstance(self.block, str) else self.block[stage]

    @property
    def style(self) -> Style:
        """How its maps are blurred."""
        return Style(blur=self.blur)


def model_name(default: str) -> Any:
    """Returns a key that is the name of a model of timm's, which says its sizes."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        if not isinstance(value, str):
            raise ConfigError(f"{field.name} is the name of a model of timm's, not {brief(value)}")
        return value

    return fields.checked_field(check, default, metadata=fields.SIZED)


def named(name: str) -> TimmResNet | None:
    """Returns the model of a name, which may have the tag of its weights; None if it is of no such name."""
    found = settings("resnet").get(plain(name))
    return None if found is None else TimmResNet(**found)


def required(name: str, key: str) -> TimmResNet:
    """Returns the model of a name. Raises ConfigError for one that is no ResNet that is modelled."""
    found = named(name)
    if found is None:
        close = suggest(plain(name), settings("resnet"))
        raise ConfigError(f"{key} {brief(name)} is timm's, which is not modelled{close}: a ResNet is read there")
    return found


def levels(kind: TimmResNet) -> int:
    """Returns how many maps a backbone has: the stem's and each stage's."""
    return len(kind.depths) + 1


def features(
    kind: TimmResNet, workload: Workload, b: Builder, pixels: Value, places: tuple[int, ...], stride: int
) -> list[Value]:
    """Returns the maps of a backbone at places, in order, none of which is after the last."""
    kind = attrs.evolve(kind, stride=stride, training=workload.phase == "train")
    found = maps(kind, b, pixels, places[-1])
    return [found[place] for place in places]


def build(kind: TimmResNet, workload: Workload, b: Builder, pixels: Value, labels: Dim) -> tuple[Value, Value]:
    """Returns the last map, and the logits of its mean."""
    x = maps(attrs.evolve(kind, training=workload.phase == "train"), b, pixels)[-1]
    mean = b.apply("mean", x, name="global_pool", dim=(2, 3), keepdim=True)
    return x, flat_logits(b, "fc", mean, labels)


def maps(kind: TimmResNet, b: Builder, x: Value, last: int = 4) -> list[Value]:
    """Returns the stem's output and that of each stage up to the one numbered `last`."""
    if kind.stride != 32 and (kind.blur or kind.block in ("resnest", "res2net")):
        raise ConfigError(f"output_stride {kind.stride}: a ResNet that blurs or splits maps is read with 32 alone")
    x = stem(kind, b, x)
    x = b.apply("relu", normed(kind, b, "bn1", x), name="act1")
    found = [x]
    x = pooled(kind, b, x) if last else x
    reached = 4
    for index, depth in enumerate(kind.depths[:last]):
        stride, dilation, before = (2 if index else 1), 1, 1
        if index and reached >= kind.stride:  # the map stays, and the convolutions reach further
            stride, dilation, before = 1, reached * 2 // kind.stride, reached // kind.stride
        reached *= 2 if index else 1
        first, other = (
            partial(block, kind, index, step, reach, dilation) for step, reach in ((stride, before), (1, dilation))
        )
        x = repeated(f"layer{index + 1}", depth, first, other, b, x)
        found.append(x)
    return found


def stem(kind: TimmResNet, b: Builder, x: Value) -> Value:
    """Returns the map of the first convolution, or of three."""
    if not kind.stem:
        return convolved(b, "conv1", x, WIDTH, 7, stride=2)
    width = kind.stem_width
    first = 3 * (width // 4) if kind.stem == "tiered" else width
    with b.scope("conv1"):
        x = b.apply("relu", normed(kind, b, "1", convolved(b, "0", x, first, 3, stride=2)), name="2")
        x = b.apply("relu", normed(kind, b, "4", convolved(b, "3", x, width, 3)), name="5")
        return convolved(b, "6", x, 2 * width, 3)


def pooled(kind: TimmResNet, b: Builder, x: Value) -> Value:
    """Returns the stem's map, made smaller."""
    found: Value
    if kind.strided:
        with b.scope("maxpool"):
            x = convolved(b, "0", x, x.spec.shape[1], 3, stride=2)
            found = b.apply("relu", normed(kind, b, "1", x), name="2")
            return found
    if kind.blur == "avg":
        return blurred(kind.style, b, "maxpool", x)
    if kind.blur:
        x = b.apply("max_pool", x, name="maxpool.0", kernel=3, stride=1, padding=1)
        return blurred(kind.style, b, "maxpool.1", x)
    found = b.apply("max_pool", x, name="maxpool", kernel=3, stride=2, padding=1)
    return found


def block(kind: TimmResNet, stage: int, stride: int, before: int, dilation: int, b: Builder, x: Value) -> Value:
    """Adds convolutions with a residual connection: two 3x3, or 1x1, 3x3 and 1x1. The first 3x3 reaches as far as the
    stage `before` does, in its first block."""
    conv, planes = partial(convolved, b), kind.channels[stage]
    blurs = bool(kind.blur) and stride == 2
    step = 1 if blurs else stride
    b.hold(x)
    if kind.kind_of(stage) == "basic":
        y = conv("conv1", x, planes, 3, stride=step, dilation=before)
        y = b.apply("relu", normed(kind, b, "bn1", y), name="act1")
        y = blurred(kind.style, b, "aa", y) if blurs else y
        y = normed(kind, b, "bn2", conv("conv2", y, planes, 3, dilation=dilation))
    else:
        inner = planes * kind.base // WIDTH * kind.groups * kind.scales
        first = stride != 1 or not equal(x.spec.shape[1], EXPANSION * planes)
        y = b.apply("relu", normed(kind, b, "bn1", conv("conv1", x, inner // kind.narrowed)), name="act1")
        y = middle(kind, b, y, inner, stride, before, first=first)
        y = normed(kind, b, "bn3", conv("conv3", y, EXPANSION * planes))
    y = gated(kind, b, y) if kind.gate else y
    if stride != 1 or not equal(x.spec.shape[1], y.spec.shape[1]):
        with b.scope("downsample"):
            x = shortcut(kind, b, x, y.spec.shape[1], stride, dilation, before)
    return b.apply("relu", b.apply("add", y, x, name="residual"), name="act_last")


def middle(kind: TimmResNet, b: Builder, x: Value, width: int, stride: int, before: int, *, first: bool) -> Value:
    """Returns what a bottleneck has between its convolutions of 1x1, in the `first` block of a stage or another."""
    conv, norm = partial(convolved, b), partial(normed, kind, b)
    if kind.block == "resnest":
        pools = stride > 1
        if pools and kind.averaged_first:
            x = b.apply("avg_pool", x, name="avd_first", kernel=3, stride=stride, padding=1)
        y = split_attention(b, x, norm, conv, kind.radix, kind.groups, 1)
        if pools and not kind.averaged_first:
            y = b.apply("avg_pool", y, name="avd_last", kernel=3, stride=stride, padding=1)
        return y
    if kind.block == "res2net":
        options = {"stride": stride, "dilation": before, "groups": kind.groups}
        return scales(b, x, norm, conv, kind.scales, options, first=first)
    blurs = bool(kind.blur) and stride == 2
    y = conv("conv2", x, width, 3, stride=1 if blurs else stride, dilation=before, groups=kind.groups)
    y = b.apply("relu", norm("bn2", y), name="act2")
    return blurred(kind.style, b, "aa", y) if blurs else y


def gated(kind: TimmResNet, b: Builder, x: Value) -> Value:
    """Returns the map times a gate of each channel."""
    batch, channels = x.spec.shape[:2]
    assert type(channels) is int
    if kind.gate == "se":
        narrow = divisible(channels * kind.squeeze, limit=0)
        return squeezed(b, "se", x, narrow, act="relu", parts=("fc1", "fc2"), inner_act="act")
    reach = int(abs(log2(channels) + 1) / 2)
    kernel = max(reach if reach % 2 else reach + 1, 3)
    b.hold(x)
    with b.scope("se"):
        y = b.apply("reshape", b.apply("mean", x, name="mean", dim=(2, 3)), name="row", shape=(batch, 1, channels))
        y = b.apply("convolution", y, b.parameter("conv.weight", (1, 1, kernel)), name="conv", padding=kernel // 2)
        y = b.apply("reshape", b.apply("sigmoid", y, name="gate"), name="gates", shape=(batch, channels, 1, 1))
        y = b.apply("expand", y, name="gates_of_places", shape=x.spec.shape)
        found: Value = b.apply("mul", x, y, name="gated")
    return found


def shortcut(kind: TimmResNet, b: Builder, x: Value, channels: Dim, stride: int, dilation: int, before: int) -> Value:
    """Returns a block's input with the channels and the size of its output."""
    if kind.averaged:
        if dilation > 1:
            x = b.apply("pad", x, name="padded", padding=((0, 0), (0, 0), (0, 1), (0, 1)))
            x = b.apply("avg_pool", x, name="pool", kernel=2, stride=1)
        elif stride > 1:
            x = b.apply("avg_pool", x, name="pool", kernel=2, stride=stride, ceil_mode=True)
        return normed(kind, b, "2", convolved(b, "1", x, channels))
    kernel = 1 if stride == 1 and dilation == 1 else kind.down_kernel
    reach = before if kernel > 1 else 1
    return normed(kind, b, "1", convolved(b, "0", x, channels, kernel, stride=stride, dilation=reach))


def convolved(
    b: Builder,
    name: str,
    x: Value,
    channels: Dim,
    kernel: int = 1,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> Value:
    """Applies a convolution without bias."""
    weight = b.parameter(f"{name}.weight", (channels, exact_div(x.spec.shape[1], groups), kernel, kernel))
    padding = kernel // 2 * dilation
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    options |= {"groups": groups} if groups > 1 else {}
    found: Value = b.apply("convolution", x, weight, name=name, **options)
    return found


def normed(kind: TimmResNet, b: Builder, name: str, x: Value) -> Value:
    """Applies a norm: over the batch, over groups of channels, or one that is what it learned."""
    if kind.group_norm:
        return group_norm(b, name, x, GROUPS)
    return frozen_norm(b, name, x) if kind.frozen else batch_norm(b, name, x, training=kind.training)
