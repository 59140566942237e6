"""EfficientNet: widened convolutions of each channel with squeeze and excitation, scaled in width and depth.

Tan and Le, 2019 (arXiv:1905.11946).
"""

from __future__ import annotations

from math import ceil

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, linear
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    fields,
    frozen,
)
from graphacct_vision.parts.inverted import divisible, whole
from graphacct_vision.parts.layers import batch_norm, convolution
from graphacct_vision.parts.lists import indices
from graphacct_vision.parts.windows import ratio

CLASSES = ("EfficientNetModel", "EfficientNetForImageClassification")
LISTS = ("kernel_sizes", "out_channels", "strides", "num_block_repeats", "expand_ratios")
STEM, TOP = 32, 1280


@frozen(kw_only=True)
class EfficientNetConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(600)
    width_coefficient: float = ratio(2.0)
    depth_coefficient: float = ratio(3.1)
    depth_divisor: int = fields.size(8)
    kernel_sizes: tuple[int, ...] = fields.counts((3, 3, 5, 3, 5, 5, 3))
    in_channels: tuple[int, ...] = fields.counts((32, 16, 24, 40, 80, 112, 192))
    out_channels: tuple[int, ...] = fields.counts((16, 24, 40, 80, 112, 192, 320))
    depthwise_padding: tuple[int, ...] = indices()
    strides: tuple[int, ...] = fields.counts((1, 2, 2, 2, 1, 2, 1))
    num_block_repeats: tuple[int, ...] = fields.counts((1, 2, 2, 3, 3, 4, 1))
    expand_ratios: tuple[int, ...] = fields.counts((1, 6, 6, 6, 6, 6, 6))
    squeeze_expansion_ratio: float = ratio(0.25)
    hidden_act: str = activation("swish")
    hidden_dim: Dim = fields.size(2560)
    pooling_type: str = fields.choice("mean", ("mean", "max"))
    dropout_rate: float = fields.probability(0.5)
    drop_connect_rate: float = fields.probability(0.2)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        count = len(self.in_channels)
        for key in LISTS:
            if len(whole(self, key)) != count:
                raise ConfigError(f"{key} has {len(getattr(self, key))} numbers, in_channels has {count}")
        before = [STEM, *self.out_channels]
        for place, channels in enumerate(whole(self, "in_channels")):
            if self.channels(channels) != self.channels(before[place]):
                raise ConfigError(f"in_channels has {channels} at {place}, where {before[place]} channels arrive")
        if not equal(self.hidden_dim, self.channels(TOP)):
            raise ConfigError(f"hidden_dim is {self.hidden_dim}, but {TOP} scaled in width is {self.channels(TOP)}")
        if any(stride not in (1, 2) for stride in self.strides) or any(size % 2 == 0 for size in self.kernel_sizes):
            raise ConfigError("strides are 1 or 2 and kernel_sizes odd numbers: the library pads no others")

    def channels(self, count: int) -> int:
        """Returns a number of channels scaled in width, in whole steps."""
        return divisible(count * self.width_coefficient, self.depth_divisor)

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes."""
        return self.architectures.endswith("ForImageClassification") and classes(self.num_labels)


def build(config: EfficientNetConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to the last map and the pooled one, or to logits."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return encoded(config, workload, b, pixels)
    with b.scope("efficientnet"):
        _, x = encoded(config, workload, b, pixels)
    x = dropped(b, "dropout", x, config.dropout_rate, workload)
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def encoded(config: EfficientNetConfig, workload: Workload, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns the last map, and it pooled."""
    training, act = workload.phase == "train", ACTIVATIONS[config.hidden_act]
    with b.scope("embeddings"):
        x = b.apply("pad", x, name="padded", padding=((0, 1), (0, 1)))
        x = convolution(b, "convolution", x, config.channels(STEM), 3, stride=2)
        x = activated(b, act, batch_norm(b, "batchnorm", x, training=training), "activation")
    repeats = [ceil(config.depth_coefficient * count) for count in config.num_block_repeats]
    with b.scope("encoder"):
        index = 0
        for stage, count in enumerate(repeats):
            for again in range(count):
                rate = config.drop_connect_rate * index / sum(repeats)
                with b.scope(f"blocks.{index}"):
                    x = block(config, workload, stage, index, bool(again), rate, b, x)
                index += 1
        x = convolution(b, "top_conv", x, config.channels(TOP))
        x = activated(b, act, batch_norm(b, "top_bn", x, training=training), "top_activation")
    kind = "avg_pool" if config.pooling_type == "mean" else "max_pool"
    if any(
        type(side) is int and type(config.hidden_dim) is int and side > config.hidden_dim for side in x.spec.shape[2:]
    ):
        raise ConfigError(f"the last map is {x.spec.shape[2]}x{x.spec.shape[3]}, more than hidden_dim, which pools it")
    y = b.apply(kind, x, name="pooler", kernel=config.hidden_dim, stride=config.hidden_dim, ceil_mode=True)
    return x, b.apply("reshape", y, name="pooled", shape=x.spec.shape[:2])


def block(
    config: EfficientNetConfig,
    workload: Workload,
    stage: int,
    index: int,
    again: bool,
    rate: float,
    b: Builder,
    x: Value,
) -> Value:
    """Returns a map widened, convolved channel by channel, excited and narrowed; added to x where it comes `again`."""
    training, act = workload.phase == "train", ACTIVATIONS[config.hidden_act]
    taken, size = x.spec.shape[1], config.kernel_sizes[stage]
    stride, factor = 1 if again else config.strides[stage], config.expand_ratios[stage]
    wide = taken * factor
    b.hold(x)
    y = x
    if factor != 1:
        with b.scope("expansion"):
            y = convolution(b, "expand_conv", y, wide)
            y = activated(b, act, batch_norm(b, "expand_bn", y, training=training), "expand_act")
    with b.scope("depthwise_conv"):
        pad = size // 2
        if stride == 2:
            side = (pad, pad) if index in config.depthwise_padding else (pad - 1, pad)
            y = b.apply("pad", y, name="depthwise_conv_pad", padding=(side, side))
        y = convolution(
            b, "depthwise_conv", y, wide, size, stride=stride, padding=0 if stride == 2 else pad, groups=wide
        )
        y = activated(b, act, batch_norm(b, "depthwise_norm", y, training=training), "depthwise_act")
    with b.scope("squeeze_excite"):
        z = b.apply("mean", y, name="squeeze", dim=(2, 3), keepdim=True)
        narrow = max(1, int(taken * config.squeeze_expansion_ratio))
        z = activated(b, act, convolution(b, "reduce", z, narrow, bias=True), "act_reduce")
        z = b.apply("sigmoid", convolution(b, "expand", z, wide, bias=True), name="act_expand")
        y = b.apply("mul", y, z, name="excited")
    with b.scope("projection"):
        y = convolution(b, "project_conv", y, config.channels(config.out_channels[stage]))
        y = batch_norm(b, "project_bn", y, training=training)
        if not again:
            return y
        return b.apply("add", dropped(b, "dropout", y, rate, workload), x, name="residual")


ARCHITECTURE = Architecture(
    "efficientnet",
    EfficientNetConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost={"num_hidden_layers": None, "batch_norm_eps": None, "batch_norm_momentum": None},
    model_types=("efficientnet",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="EfficientNet: widened convolutions of each channel with squeeze and excitation.",
)
