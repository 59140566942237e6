"""MobileViT V2: convolutions, and attention whose cost grows with the places alone.

Mehta and Rastegari, 2022 (arXiv:2206.02680).
"""

from __future__ import annotations

from functools import partial

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, linear
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_vision.convnets.poolformer import norm
from graphacct_vision.parts.inverted import dilations, divisible, segmented, whole, widened
from graphacct_vision.parts.layers import conv_norm, convolution
from graphacct_vision.parts.windows import ratio

CLASSES = ("MobileViTV2Model", "MobileViTV2ForImageClassification", "MobileViTV2ForSemanticSegmentation")
WIDTHS = (128, 256, 384, 512)


@frozen(kw_only=True)
class MobileViTV2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(256)
    patch_size: int = fields.size(2)
    expand_ratio: float = ratio(2.0)
    hidden_act: str = activation("swish")
    conv_kernel_size: int = fields.size(3)
    output_stride: int = fields.size(32)
    classifier_dropout_prob: float = fields.probability(0.1)
    aspp_out_channels: Dim = fields.size(512)
    atrous_rates: tuple[Dim, ...] = fields.counts((6, 12, 18))
    aspp_dropout_prob: float = fields.probability(0.1)
    n_attn_blocks: tuple[Dim, ...] = fields.counts((2, 4, 3), 3)
    base_attn_unit_dims: tuple[Dim, ...] = fields.counts((128, 192, 256), 3)
    width_multiplier: float = ratio(1.0)
    ffn_multiplier: float = ratio(2)
    attn_dropout: float = fields.probability(0.0)
    ffn_dropout: float = fields.probability(0.0)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes for an image."""
        return self.architectures.endswith("ForImageClassification") and classes(self.num_labels)


def build(config: MobileViTV2Config, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to the last map and its mean, to logits, or to logits of each place."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        x = encoded(config, workload, b, pixels)
        return x, b.apply("mean", x, name="pooled", dim=(2, 3))
    with b.scope("mobilevitv2"):
        x = encoded(config, workload, b, pixels)
        if config.architectures.endswith("ForImageClassification"):
            x = b.apply("mean", x, name="pooled", dim=(2, 3))
    if config.architectures.endswith("ForImageClassification"):
        return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)
    with b.scope("segmentation_head"):
        return segmented(config, workload, b, x)


def encoded(config: MobileViTV2Config, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the last stage's map."""
    act, training, factor = ACTIVATIONS[config.hidden_act], workload.phase == "train", config.width_multiplier
    first = divisible(max(16, min(64, 32 * factor)), 8, 16)
    x = conv_norm(b, "conv_stem", x, first, 3, stride=2, padding=1, training=training, act=act)
    narrow = partial(widened, config, training, act, b)
    widths = [divisible(width * factor) for width in WIDTHS]
    units = whole(config, "base_attn_unit_dims")
    with b.scope("encoder.layer"):
        with b.scope("0.layer.0"):
            x = narrow(x, divisible(64 * factor, 16))
        for index in range(2):
            with b.scope(f"1.layer.{index}"):
                x = narrow(x, widths[0], stride=1 if index else 2)
        for index, (stride, dilation) in enumerate(dilations(config.output_stride)):
            with b.scope(str(index + 2)):
                with b.scope("downsampling_layer"):
                    x = narrow(x, widths[index + 1], stride=stride, dilation=dilation)
                x = mixed(config, workload, divisible(units[index] * factor), config.n_attn_blocks[index], b, x)
    return x


def mixed(config: MobileViTV2Config, workload: Workload, width: int, depth: Dim, b: Builder, x: Value) -> Value:
    """Returns a map whose places have seen those that stand alike in other patches."""
    batch, channels, *sides = x.spec.shape
    size, step, training = config.conv_kernel_size, config.patch_size, workload.phase == "train"
    act = ACTIVATIONS[config.hidden_act]
    pad = (size - 1) // 2
    x = conv_norm(b, "conv_kxk", x, channels, size, padding=pad, groups=channels, training=training, act=act)
    with b.scope("conv_1x1"):
        x = convolution(b, "convolution", x, width)
    x = b.apply("im2col", x, name="patches", kernel=step, stride=step)
    count = x.spec.shape[-1]
    x = b.apply("reshape", x, name="by_place", shape=(batch, width, step**2, count))
    x = b.repeat("transformer.layer", depth, partial(layer, config, workload), x)
    x = norm(b, "layernorm", x)
    x = b.apply("reshape", x, name="columns", shape=(batch, width * step**2, count))
    x = b.apply("col2im", x, name="map", size=tuple(sides), kernel=step, stride=step)
    return conv_norm(b, "conv_projection", x, channels, training=training, act="")


def layer(config: MobileViTV2Config, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x (batch, width, places of a patch, patches) after attention and a network of one hidden layer."""
    width = x.spec.shape[1]
    b.hold(x)
    y = norm(b, "layernorm_before", x)
    with b.scope("attention"):
        with b.scope("qkv_proj"):
            y = convolution(b, "convolution", y, 1 + 2 * width, bias=True)
        query, key, value = b.apply("split", y, name="parts", sizes=(1, width, width), dim=1)
        scores = b.apply("softmax", query, name="scores")
        scores = dropped(b, "attn_dropout", scores, config.attn_dropout, workload)
        context = b.apply("mul", key, scores, name="weighted")
        context = b.apply("sum", context, name="context", dim=-1, keepdim=True)
        y = b.apply("mul", b.apply("relu", value, name="values"), context, name="seen")
        with b.scope("out_proj"):
            y = convolution(b, "convolution", y, width, bias=True)
    x = b.apply("add", y, x, name="attn_residual")
    y = norm(b, "layernorm_after", x)
    hidden = int(config.ffn_multiplier * width // 16 * 16)
    with b.scope("ffn"):
        with b.scope("conv1"):
            y = convolution(b, "convolution", y, hidden, bias=True)
            y = activated(b, ACTIVATIONS[config.hidden_act], y, "activation")
        y = dropped(b, "dropout1", y, config.ffn_dropout, workload)
        with b.scope("conv2"):
            y = convolution(b, "convolution", y, width, bias=True)
        y = dropped(b, "dropout2", y, config.ffn_dropout, workload)
    return b.apply("add", y, x, name="residual")


ARCHITECTURE = Architecture(
    "mobilevitv2",
    MobileViTV2Config,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost={"semantic_loss_ignore_index": None},
    model_types=("mobilevitv2",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="MobileViT V2: convolutions, and attention whose cost grows with the places alone.",
)
