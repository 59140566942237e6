"""ResNet as timm writes it, inside another model: maps of its stages (He et al., 2015, arXiv:1512.03385).

The names are those of timm's modules, which are torchvision's too.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, Value, brief, equal, exact_div, fields, frozen, suggest
from graphacct_vision.parts.layers import batch_norm, frozen_norm
from graphacct_vision.parts.stages import repeated

WIDTH, EXPANSION = 64, 4
SIZES: dict[str, tuple[str, tuple[int, int, int, int], int, int]] = {
    "resnet18": ("basic", (2, 2, 2, 2), 1, WIDTH),
    "resnet34": ("basic", (3, 4, 6, 3), 1, WIDTH),
    "resnet26": ("bottleneck", (2, 2, 2, 2), 1, WIDTH),
    "resnet50": ("bottleneck", (3, 4, 6, 3), 1, WIDTH),
    "resnet101": ("bottleneck", (3, 4, 23, 3), 1, WIDTH),
    "resnet152": ("bottleneck", (3, 8, 36, 3), 1, WIDTH),
    "resnet200": ("bottleneck", (3, 24, 36, 3), 1, WIDTH),
    "resnext50_32x4d": ("bottleneck", (3, 4, 6, 3), 32, 4),
    "resnext101_32x4d": ("bottleneck", (3, 4, 23, 3), 32, 4),
    "resnext101_32x8d": ("bottleneck", (3, 4, 23, 3), 32, 8),
    "resnext101_64x4d": ("bottleneck", (3, 4, 23, 3), 64, 4),
    "wide_resnet50_2": ("bottleneck", (3, 4, 6, 3), 1, 2 * WIDTH),
    "wide_resnet101_2": ("bottleneck", (3, 4, 23, 3), 1, 2 * WIDTH),
}
"""The block, the depths, the groups and the width of each in the first stage, of each name (timm's models/resnet.py;
ResNeXt: Xie et al., 2016, arXiv:1611.05431; wide ResNet: Zagoruyko and Komodakis, 2016, arXiv:1605.07146)."""


@frozen
class TimmResNet:
    """A ResNet of timm's.

    Attributes:
        block: `basic` or `bottleneck`.
        depths: Blocks in each of four stages.
        groups: Groups of the 3x3 convolution of a bottleneck.
        base: The width of each group in the first stage.
        stride: How many pixels a place of the last map is wide: 32, or less for one whose last stages are dilated.
        frozen: Whether the norms are what they learned.
        training: Whether a norm uses the batch's statistics.
    """

    block: str
    depths: tuple[int, int, int, int]
    groups: int = 1
    base: int = WIDTH
    stride: int = 32
    frozen: bool = False
    training: bool = False


def model_name(default: str) -> Any:
    """Returns a key that is the name of a model of timm's, which says its sizes."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        if not isinstance(value, str):
            raise ConfigError(f"{field.name} is the name of a model of timm's, not {brief(value)}")
        return value

    return fields.checked_field(check, default, metadata=fields.SIZED)


def named(name: str, key: str) -> tuple[str, tuple[int, int, int, int], int, int]:
    """Returns the block, the depths, the groups and their width of a name, which may have the tag of its weights.
    Raises ConfigError for one that is not modelled."""
    plain = name.partition(".")[0]
    if plain not in SIZES:
        raise ConfigError(f"{key} {brief(name)} is timm's, which is not modelled{suggest(plain, SIZES)}")
    return SIZES[plain]


def maps(kind: TimmResNet, b: Builder, x: Value, last: int = 4) -> list[Value]:
    """Returns the stem's output and that of each stage up to the one numbered `last`."""
    x = convolved(b, "conv1", x, WIDTH, 7, stride=2)
    x = b.apply("relu", normed(kind, b, "bn1", x), name="act1")
    found = [x]
    x = b.apply("max_pool", x, name="maxpool", kernel=3, stride=2, padding=1) if last else x
    reached = 4
    for index, depth in enumerate(kind.depths[:last]):
        stride, dilation, before = (2 if index else 1), 1, 1
        if index and reached >= kind.stride:  # the map stays, and the convolutions reach further
            stride, dilation, before = 1, reached * 2 // kind.stride, reached // kind.stride
        reached *= 2 if index else 1
        first, other = (
            partial(block, kind, WIDTH * 2**index, step, reach) for step, reach in ((stride, before), (1, dilation))
        )
        x = repeated(f"layer{index + 1}", depth, first, other, b, x)
        found.append(x)
    return found


def block(kind: TimmResNet, planes: int, stride: int, dilation: int, b: Builder, x: Value) -> Value:
    """Adds convolutions with a residual connection: two 3x3, or 1x1, 3x3 and 1x1."""
    conv = partial(convolved, b)
    b.hold(x)
    if kind.block == "basic":
        y = conv("conv1", x, planes, 3, stride=stride, dilation=dilation)
        y = b.apply("relu", normed(kind, b, "bn1", y), name="act1")
        y = normed(kind, b, "bn2", conv("conv2", y, planes, 3, dilation=dilation))
    else:
        inner = planes * kind.base // WIDTH * kind.groups
        y = b.apply("relu", normed(kind, b, "bn1", conv("conv1", x, inner)), name="act1")
        y = conv("conv2", y, inner, 3, stride=stride, dilation=dilation, groups=kind.groups)
        y = b.apply("relu", normed(kind, b, "bn2", y), name="act2")
        y = normed(kind, b, "bn3", conv("conv3", y, EXPANSION * planes))
    if stride != 1 or not equal(x.spec.shape[1], y.spec.shape[1]):
        with b.scope("downsample"):
            x = normed(kind, b, "1", conv("0", x, y.spec.shape[1], stride=stride))
    return b.apply("relu", b.apply("add", y, x, name="residual"), name="act_last")


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
    """Applies a batch norm, or one that is what it learned."""
    return frozen_norm(b, name, x) if kind.frozen else batch_norm(b, name, x, training=kind.training)
