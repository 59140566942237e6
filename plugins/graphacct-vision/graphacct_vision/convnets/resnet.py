"""The ResNet family as torchvision builds it: v1.5, with the stride on the 3x3 convolution.

He et al., "Deep Residual Learning for Image Recognition", 2015; Xie et al., "Aggregated Residual Transformations",
2016; Zagoruyko and Komodakis, "Wide Residual Networks", 2016. Parameter names are those of torchvision's checkpoints.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import attrs
from graphacct_architectures.losses import LOSSES

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    exact_div,
    fields,
    frozen,
    has_value,
    same,
)

STAGES = 4
PLANES = 64
"""The planes for which `width_per_group` is stated."""

Body: TypeAlias = Callable[..., Value]


@frozen
class ResNetConfig:
    """The sizes of one model.

    Attributes:
        block: `basic` (two 3x3 convolutions) or `bottleneck` (1x1, 3x3, 1x1; four times as wide outside).
        depths: Blocks in each of the four stages.
        width: Channels of the stem, and planes of the first stage; each further stage has twice as many.
        groups: Groups of the 3x3 convolution in a bottleneck (ResNeXt).
        width_per_group: Channels per group for 64 planes.
        num_channels: Channels of the image.
        num_classes: Outputs.
        training: Whether batch normalisation uses the batch's statistics and updates its running ones in every phase,
            and not only in `train`.
    """

    block: str = fields.choice("bottleneck", ("basic", "bottleneck"))
    depths: tuple[Dim, ...] = fields.counts((3, 4, 6, 3), STAGES)
    width: Dim = fields.size(64)
    groups: Dim = fields.size(1)
    width_per_group: Dim = fields.size(64)
    num_channels: Dim = fields.size(3)
    num_classes: Dim = fields.size(1000)
    training: bool = fields.flag(False)

    def __attrs_post_init__(self) -> None:
        if self.block == "basic" and not (same(self.groups, 1) and same(self.width_per_group, PLANES)):
            raise ConfigError(
                f"basic blocks take groups 1 and width_per_group {PLANES}, not {self.groups} and "
                f"{self.width_per_group}: use block=bottleneck"
            )


def build(config: ResNetConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to logits."""
    assert workload.image_size is not None  # the architecture declares its default
    config = attrs.evolve(config, training=config.training or workload.phase == "train")
    x = b.input("images", (workload.batch, config.num_channels, *workload.image_size))
    x = convolution(b, "conv1", x, config.width, kernel=7, stride=2)
    x = b.apply("relu", batch_norm(config, b, "bn1", x), name="relu")
    x = b.apply("max_pool", x, name="maxpool", kernel=3, stride=2, padding=1)
    for index, depth in enumerate(config.depths):
        planes = config.width * 2**index
        x = stage(config, f"layer{index + 1}", depth, planes, 1 if index == 0 else 2, b, x)
    x = b.apply("mean", x, name="avgpool", dim=(2, 3), keepdim=True)
    batch, channels = x.spec.shape[:2]
    x = b.apply("reshape", x, name="flatten", shape=(batch, channels))
    weight = b.parameter("fc.weight", (config.num_classes, channels))
    return b.apply("linear", x, weight, b.parameter("fc.bias", (config.num_classes,)), name="fc")


def stage(config: ResNetConfig, name: str, depth: Dim, planes: Dim, stride: int, b: Builder, x: Value) -> Value:
    """Adds `depth` blocks: the first, if it changes the shape, then the equal ones as one repeat."""
    body, expansion = BLOCKS[config.block]
    start = 0
    if stride != 1 or not equal(x.spec.shape[1], planes * expansion):
        with b.scope(f"{name}.0"):
            x = body(config, planes, stride, b, x)
        start = 1
    rest = depth - start
    if has_value(rest) and rest == 0:
        return x
    return b.repeat(name, rest, partial(body, config, planes, 1), x, start=start)


def basic(config: ResNetConfig, planes: Dim, stride: int, b: Builder, x: Value) -> Value:
    """Adds two 3x3 convolutions with a residual connection."""
    y = convolution(b, "conv1", x, planes, kernel=3, stride=stride)
    y = b.apply("relu", batch_norm(config, b, "bn1", y))
    y = convolution(b, "conv2", y, planes, kernel=3)
    return residual(config, stride, b, x, batch_norm(config, b, "bn2", y))


def bottleneck(config: ResNetConfig, planes: Dim, stride: int, b: Builder, x: Value) -> Value:
    """Adds convolutions 1x1 down, 3x3 and 1x1 up with a residual connection."""
    inner = exact_div(planes * config.width_per_group, PLANES, f"planes * width_per_group / {PLANES}") * config.groups
    y = convolution(b, "conv1", x, inner)
    y = b.apply("relu", batch_norm(config, b, "bn1", y))
    y = convolution(b, "conv2", y, inner, kernel=3, stride=stride, groups=config.groups)
    y = b.apply("relu", batch_norm(config, b, "bn2", y))
    y = convolution(b, "conv3", y, 4 * planes)
    return residual(config, stride, b, x, batch_norm(config, b, "bn3", y))


def residual(config: ResNetConfig, stride: int, b: Builder, x: Value, y: Value) -> Value:
    """Returns relu(y + x), with x brought to y's shape by a 1x1 convolution if they differ."""
    channels = y.spec.shape[1]
    if stride != 1 or not equal(x.spec.shape[1], channels):
        with b.scope("downsample"):
            x = convolution(b, "0", x, channels, stride=stride)
            x = batch_norm(config, b, "1", x)
    return b.apply("relu", b.apply("add", y, x, name="residual"))


BLOCKS: dict[str, tuple[Body, int]] = {"basic": (basic, 1), "bottleneck": (bottleneck, 4)}
"""Each kind of block, with the ratio of its output's channels to its planes."""


def convolution(
    b: Builder, name: str, x: Value, channels: Dim, *, kernel: int = 1, stride: int = 1, groups: Dim = 1
) -> Value:
    """Applies torch.nn.Conv2d without bias, padded so that stride 1 keeps the image's size."""
    taken = exact_div(x.spec.shape[1], groups, f"channels of {name} / groups")
    weight = b.parameter(f"{name}.weight", (channels, taken, kernel, kernel))
    return b.apply("convolution", x, weight, name=name, stride=stride, padding=kernel // 2, groups=groups)


def batch_norm(config: ResNetConfig, b: Builder, name: str, x: Value) -> Value:
    """Applies torch.nn.BatchNorm2d: two parameters, and the buffers of its running statistics."""
    channels = x.spec.shape[1:2]
    return b.apply(
        "batch_norm",
        x,
        b.parameter(f"{name}.weight", channels),
        b.parameter(f"{name}.bias", channels),
        b.parameter(f"{name}.running_mean", channels, buffer=True),
        b.parameter(f"{name}.running_var", channels, buffer=True),
        b.parameter(f"{name}.num_batches_tracked", (), "int64", buffer=True),
        name=name,
        training=config.training,
    )


ARCHITECTURE = Architecture(
    "resnet",
    ResNetConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (224, 224)},
    dtype="float32",
    losses=LOSSES,
    doc="ResNet v1.5 as in torchvision: stride on the 3x3; basic or bottleneck blocks, groups and width settable.",
)
