"""RT-DETR's ResNet: a stem of three convolutions, and an average in the shortcuts (Zhao et al., 2023,
arXiv:2304.08069)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation
from graphacct_architectures.losses import SUM_ALONE

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
)
from graphacct_vision.convnets.hf_resnet import REDUCTION
from graphacct_vision.parts.layers import conv_norm
from graphacct_vision.parts.stages import ALIASES, Staged, repeated

CLASSES = ("RTDetrResNetBackbone",)


@frozen(kw_only=True)
class RTDetrResNetConfig(Staged):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    embedding_size: Dim = fields.size(64)
    layer_type: str = fields.choice("bottleneck", ("basic", "bottleneck"))
    downsample_in_first_stage: bool = fields.flag(False)
    downsample_in_bottleneck: bool = fields.flag(False)


def build(config: RTDetrResNetConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to maps of stages."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    found = stages(config, workload, b, pixels)
    return tuple(found[place] for place in config.handed_on(len(config.depths)))


def stages(
    config: RTDetrResNetConfig, workload: Workload, b: Builder, x: Value, *, frozen: bool = False
) -> list[Value]:
    """Returns the stem's output and each stage's. In a `frozen` one the norms are what they learned."""
    training, act = workload.phase == "train", ACTIVATIONS[config.hidden_act]
    half = exact_div(config.embedding_size, 2, "embedding_size / 2")
    kinds: dict[str, Any] = {"training": training, "frozen": frozen}
    conv: Callable[..., Value] = partial(conv_norm, b, **kinds)
    with b.scope("embedder"):
        for index, (width, stride) in enumerate(((half, 2), (half, 1), (config.embedding_size, 1))):
            x = conv(f"embedder.{index}", x, width, 3, stride=stride, padding=1, act=act)
        x = b.apply("max_pool", x, name="pooler", kernel=3, stride=2, padding=1)
    found = [x]
    with b.scope("encoder.stages"):
        for index, (depth, channels) in enumerate(zip(config.depths, config.hidden_sizes, strict=True)):
            stride = 2 if index or config.downsample_in_first_stage else 1
            first = partial(block, config, kinds, channels, stride, True)
            other = partial(block, config, kinds, channels, 1, False)
            x = repeated(f"{index}.layers", depth, first, other, b, x)
            found.append(x)
    return found


def block(
    config: RTDetrResNetConfig, outer: dict[str, Any], channels: Dim, stride: int, first: bool, b: Builder, x: Value
) -> Value:
    """Adds convolutions with a residual connection: two 3x3, or 1x1, 3x3 and 1x1 with a narrow middle."""
    conv: Callable[..., Value] = partial(conv_norm, b, **outer)
    b.hold(x)
    same = equal(x.spec.shape[1], channels)
    if config.layer_type == "basic":
        y = conv("layer.0", x, channels, 3, stride=stride, padding=1)
        y = conv("layer.1", y, channels, 3, padding=1, act="")
        pooled, projected = first and not same, first
        if pooled and stride == 1:
            raise ConfigError(
                f"embedding_size {x.spec.shape[1]} is not {channels}, the first of hidden_sizes: the library's basic "
                "layer halves the shortcut there, and not the map; set downsample_in_first_stage to true"
            )
    else:
        inner = exact_div(channels, REDUCTION, f"hidden_sizes / {REDUCTION}")
        early = stride if config.downsample_in_bottleneck else 1
        y = conv("layer.0", x, inner, stride=early)
        y = conv("layer.1", y, inner, 3, stride=stride // early, padding=1)
        y = conv("layer.2", y, channels, act="")
        pooled, projected = stride == 2, not same or stride != 1
    if pooled:
        x = b.apply("avg_pool", x, name="shortcut.0", kernel=2, stride=2, ceil_mode=True)
    if projected:
        name = "shortcut.1" if pooled else "shortcut"
        x = conv(name, x, channels, stride=1 if pooled else stride, act="")
    return activation(b, ACTIVATIONS[config.hidden_act], b.apply("add", y, x, name="residual"), "activation")


ARCHITECTURE = Architecture(
    "rt_detr_resnet",
    RTDetrResNetConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    dtype="float32",
    aliases=ALIASES,
    model_types=("rt_detr_resnet",),
    losses=SUM_ALONE,
    doc="RT-DETR's ResNet: a stem of three convolutions, an average in the shortcuts; maps of stages.",
)
