"""MobileNet V2: narrow maps, widened for the convolution of each channel (Sandler et al., 2018, arXiv:1801.04381)."""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct_architectures.layers import dropped
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if

from graphacct import Architecture, Builder, PresetFiles, Value, Workload, fields, frozen
from graphacct_vision.convnets.mobilenet import ALIASES, MobileNet, classified, pooled, unit
from graphacct_vision.parts.layers import resized
from graphacct_vision.parts.windows import ratio

CLASSES = ("MobileNetV2Model", "MobileNetV2ForImageClassification", "MobileNetV2ForSemanticSegmentation")
CHANNELS = (16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320)
STRIDES = (2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)
STEM, LAST, HEAD = 32, 1280, 256


@frozen(kw_only=True)
class MobileNetV2Config(MobileNet):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "mobilenet_v2"

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    depth_divisible_by: int = fields.size(8)
    expand_ratio: float = ratio(6.0)
    output_stride: int = fields.size(32)
    first_layer_is_expansion: bool = fields.flag(True)
    finegrained_output: bool = fields.flag(True)
    classifier_dropout_prob: float = fields.probability(0.8)

    def channels(self, count: int) -> int:
        """Returns a number of channels times the multiplier, in whole steps."""
        return self.divisible(round(count * self.depth_multiplier))

    def divisible(self, value: int) -> int:
        """Returns the nearest multiple of `depth_divisible_by`: no tenth below the value, and at least `min_depth`."""
        step = self.depth_divisible_by
        found = max(self.min_depth, int(value + step / 2) // step * step)
        return found + step if found < 0.9 * value else found


def build(config: MobileNetV2Config, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, to the last map and its mean, or to logits of each place."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        x = encoded(config, workload, b, pixels)[1]
        return x, pooled(b, x)
    with b.scope(config.SCOPE):
        features, x = encoded(config, workload, b, pixels)
        x = pooled(b, x) if config.architectures.endswith("ForImageClassification") else x
    if config.architectures.endswith("ForImageClassification"):
        return classified(config, workload, b, x, config.classifier_dropout_prob)
    with b.scope("segmentation_head"):
        return segmented(config, workload, b, features)


def encoded(config: MobileNetV2Config, workload: Workload, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns the last layer's map, and that of the convolution after it."""
    first, *others = (config.channels(count) for count in CHANNELS)
    with b.scope("conv_stem"):
        wide = config.channels(STEM)
        x = unit(config, workload, b, "first_conv", x, wide, 3, stride=2)
        if not config.first_layer_is_expansion:
            x = unit(config, workload, b, "expand_1x1", x, wide)
        x = unit(config, workload, b, "conv_3x3", x, wide, 3, groups=wide)
        x = unit(config, workload, b, "reduce_1x1", x, first, act="")
    current, dilation, taken = 2, 1, first
    for index, (channels, stride) in enumerate(zip(others, STRIDES, strict=True)):
        options = {"stride": stride, "dilation": 1}
        if current == config.output_stride:  # the map stays, and the convolutions reach further
            options = {"stride": 1, "dilation": dilation}
            dilation *= stride
        else:
            current *= stride
        with b.scope(f"layer.{index}"):
            x = inverted(config, workload, b, x, taken, channels, options)
        taken = channels
    narrow = config.finegrained_output and config.depth_multiplier < 1
    last = LAST if narrow else config.channels(LAST)
    return x, unit(config, workload, b, "conv_1x1", x, last)


def inverted(
    config: MobileNetV2Config,
    workload: Workload,
    b: Builder,
    x: Value,
    taken: int,
    channels: int,
    options: dict[str, Any],
) -> Value:
    """Returns a map of `taken` channels widened, convolved channel by channel and narrowed; added to the map if
    the shape is the same."""
    wide = config.divisible(round(taken * config.expand_ratio))
    b.hold(x)
    y = unit(config, workload, b, "expand_1x1", x, wide)
    y = unit(config, workload, b, "conv_3x3", y, wide, 3, groups=wide, **options)
    y = unit(config, workload, b, "reduce_1x1", y, channels, act="")
    return b.apply("add", x, y, name="residual") if options["stride"] == 1 and taken == channels else y


def segmented(config: MobileNetV2Config, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the logits of each place, from the place and from the image's mean (DeepLab V3+)."""
    size = x.spec.shape[2:]
    y = b.apply("mean", x, name="avg_pool", dim=(2, 3), keepdim=True)
    y = resized(b, "resized", unit(config, workload, b, "conv_pool", y, HEAD, act="relu"), size)
    z = unit(config, workload, b, "conv_aspp", x, HEAD, act="relu")
    x = b.apply("concat", y, z, name="both", dim=1)
    x = unit(config, workload, b, "conv_projection", x, HEAD, act="relu")
    x = dropped(b, "dropout", x, config.classifier_dropout_prob, workload)
    return unit(config, workload, b, "classifier", x, config.num_labels, act="", normed=False, bias=True)


ARCHITECTURE = Architecture(
    "mobilenet_v2",
    MobileNetV2Config,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    dtype="float32",
    aliases=ALIASES,
    no_cost={"semantic_loss_ignore_index": None},
    model_types=("mobilenet_v2",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="MobileNet V2: narrow maps, widened for a convolution of each channel; semantic segmentation.",
)
