"""MobileNet V1: convolutions of each channel, and of a place's channels (Howard et al., 2017, arXiv:1704.04861)."""

from __future__ import annotations

from typing import ClassVar

from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if

from graphacct import Architecture, Builder, PresetFiles, Value, Workload, fields, frozen
from graphacct_vision.convnets.mobilenet import ALIASES, MobileNet, classified, pooled, unit

CLASSES = ("MobileNetV1Model", "MobileNetV1ForImageClassification")
DEPTH = 32
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)


@frozen(kw_only=True)
class MobileNetV1Config(MobileNet):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "mobilenet_v1"

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    classifier_dropout_prob: float = fields.probability(0.999)


def build(config: MobileNetV1Config, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, or to the last map and its mean."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        x = encoded(config, workload, b, pixels)
        return x, pooled(b, x)
    with b.scope(config.SCOPE):
        x = pooled(b, encoded(config, workload, b, pixels))
    return classified(config, workload, b, x, config.classifier_dropout_prob)


def encoded(config: MobileNetV1Config, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the last map."""
    depth = DEPTH
    channels = max(int(depth * config.depth_multiplier), config.min_depth)
    x = unit(config, workload, b, "conv_stem", x, channels, 3, stride=2)
    for index, stride in enumerate(STRIDES):
        x = unit(config, workload, b, f"layer.{2 * index}", x, channels, 3, stride=stride, groups=channels)
        if stride == 2 or index == 0:
            depth *= 2
            channels = max(int(depth * config.depth_multiplier), config.min_depth)
        x = unit(config, workload, b, f"layer.{2 * index + 1}", x, channels)
    return x


ARCHITECTURE = Architecture(
    "mobilenet_v1",
    MobileNetV1Config,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    dtype="float32",
    aliases=ALIASES,
    model_types=("mobilenet_v1",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="MobileNet V1: a convolution of each channel, then one of the channels of each place.",
)
