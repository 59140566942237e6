"""MobileViT: convolutions, and attention between places that are as far apart as patches are wide.

Mehta and Rastegari, 2021 (arXiv:2110.02178).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import dropped, layer_norm, linear
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if
from graphacct_architectures.tower import Tower, tower
from graphacct_architectures.vit_layers import older_vit_layers

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, ceil_div, equal, fields, frozen
from graphacct_vision.parts.inverted import dilations, segmented, whole, widened
from graphacct_vision.parts.layers import conv_norm, convolution, resized
from graphacct_vision.parts.windows import ratio, times

CLASSES = ("MobileViTModel", "MobileViTForImageClassification", "MobileViTForSemanticSegmentation")
DEPTHS = (2, 4, 3)
"""Layers of attention in each of the last three stages."""


@frozen(kw_only=True)
class MobileViTConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(256)
    patch_size: Dim = fields.size(2)
    hidden_sizes: tuple[Dim, ...] = fields.counts((144, 192, 240), 3)
    neck_hidden_sizes: tuple[Dim, ...] = fields.counts((16, 32, 64, 96, 128, 160, 640), 7)
    num_attention_heads: Dim = fields.size(4)
    mlp_ratio: float = ratio(2.0)
    expand_ratio: float = ratio(4.0)
    hidden_act: str = activation("silu")
    conv_kernel_size: int = fields.size(3)
    output_stride: int = fields.size(32)
    hidden_dropout_prob: float = fields.probability(0.1)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    classifier_dropout_prob: float = fields.probability(0.1)
    qkv_bias: bool = fields.flag(True)
    aspp_out_channels: Dim = fields.size(256)
    atrous_rates: tuple[Dim, ...] = fields.counts((6, 12, 18))
    aspp_dropout_prob: float = fields.probability(0.1)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes for an image."""
        return self.architectures.endswith("ForImageClassification") and classes(self.num_labels)


def build(config: MobileViTConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to the last map and its mean, to logits, or to logits of each place."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return pooled(config, workload, b, pixels)
    if config.architectures.endswith("ForImageClassification"):
        with b.scope("mobilevit"):
            _, x = pooled(config, workload, b, pixels)
        x = dropped(b, "dropout", x, config.classifier_dropout_prob, workload)
        return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)
    with b.scope("mobilevit"):
        x = encoded(config, workload, b, pixels)
    with b.scope("segmentation_head"):
        return segmented(config, workload, b, x)


def pooled(config: MobileViTConfig, workload: Workload, b: Builder, pixels: Value) -> tuple[Value, Value]:
    """Returns the last map, widened, and its mean."""
    x = encoded(config, workload, b, pixels)
    act, training = ACTIVATIONS[config.hidden_act], workload.phase == "train"
    x = conv_norm(b, "conv_1x1_exp", x, config.neck_hidden_sizes[6], training=training, act=act)
    return x, b.apply("mean", x, name="pooled", dim=(2, 3))


def encoded(config: MobileViTConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the last stage's map."""
    act, training = ACTIVATIONS[config.hidden_act], workload.phase == "train"
    necks = whole(config, "neck_hidden_sizes")
    x = conv_norm(b, "conv_stem", x, necks[0], 3, stride=2, padding=1, training=training, act=act)
    narrow = partial(widened, config, training, act, b)
    with b.scope("encoder.layer"):
        with b.scope("0.layer.0"):
            x = narrow(x, necks[1])
        for index in range(3):
            with b.scope(f"1.layer.{index}"):
                x = narrow(x, necks[2], stride=1 if index else 2)
        for index, (stride, dilation) in enumerate(dilations(config.output_stride)):
            with b.scope(str(index + 2)):
                with b.scope("downsampling_layer"):
                    x = narrow(x, necks[index + 3], stride=stride, dilation=dilation)
                x = mixed(config, workload, index, b, x)
    return x


def mixed(config: MobileViTConfig, workload: Workload, stage: int, b: Builder, x: Value) -> Value:
    """Returns a map whose places have seen those that stand alike in other patches."""
    channels, size = x.spec.shape[1], config.conv_kernel_size
    act, training = ACTIVATIONS[config.hidden_act], workload.phase == "train"
    conv = partial(conv_norm, b, training=training, act=act)
    pad = (size - 1) // 2
    y = conv("conv_kxk", x, channels, size, padding=pad)
    with b.scope("conv_1x1"):
        y = convolution(b, "convolution", y, config.hidden_sizes[stage])
    y, folded = unfolded(config, b, y)
    with b.scope("transformer"):
        y = tower(tower_of(config, stage), workload, b, y)
    y = folded(layer_norm(b, "layernorm", y))
    y = conv("conv_projection", y, channels)
    y = b.apply("concat", x, y, name="both", dim=1)
    return conv("fusion", y, channels, size, padding=pad)


def unfolded(config: MobileViTConfig, b: Builder, x: Value) -> tuple[Value, Any]:
    """Returns x as (batch * patch², patches, channels), resized to whole patches, and what puts it back."""
    batch, channels, *sides = x.spec.shape
    step = config.patch_size
    counts = [ceil_div(side, step) for side in sides]
    rows, columns = counts
    whole_sides = [count * step for count in counts]
    changed = not all(equal(new, old) for new, old in zip(whole_sides, sides, strict=True))
    if changed:
        x = resized(b, "resized", x, tuple(whole_sides))
    shape = (batch * channels * rows, step, columns, step)
    x = b.apply("reshape", x, name="by_patch", shape=shape)
    x = b.apply("transpose", x, name="patches_first", dims=(1, 2))
    x = b.apply("reshape", x, name="patches", shape=(batch, channels, rows * columns, step**2))
    x = b.apply("transpose", x, name="places_first", dims=(1, 3))
    x = b.apply("reshape", x, name="tokens", shape=(batch * step**2, rows * columns, channels))

    def back(y: Value) -> Value:
        y = b.apply("reshape", y, name="of_images", shape=(batch, step**2, rows * columns, channels))
        y = b.apply("transpose", y, name="channels_first", dims=(1, 3))
        y = b.apply("reshape", y, name="by_patch_again", shape=(batch * channels * rows, columns, step, step))
        y = b.apply("transpose", y, name="rows_first", dims=(1, 2))
        y = b.apply("reshape", y, name="map", shape=(batch, channels, *whole_sides))
        return resized(b, "resized_back", y, tuple(sides)) if changed else y

    return x, back


def tower_of(config: MobileViTConfig, stage: int) -> Tower:
    """Returns a stage's layers of attention."""
    width = config.hidden_sizes[stage]
    return older_vit_layers(config, DEPTHS[stage], times(width, config.mlp_ratio))


ARCHITECTURE = Architecture(
    "mobilevit",
    MobileViTConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost={"semantic_loss_ignore_index": None},
    model_types=("mobilevit",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="MobileViT: convolutions, and attention between places that are as far apart as patches are wide.",
)
