"""ViT: patches of an image as tokens, a class token in front, learned positions.

Dosovitskiy et al., 2020 (arXiv:2010.11929).
"""

from __future__ import annotations

from math import isqrt

import attrs

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description import Mlp
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear, resident
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if
from graphacct_architectures.tower import Tower, check_image, patch_count, patches, tower

MODEL, CLASSIFIER, MASKED = "ViTModel", "ViTForImageClassification", "ViTForMaskedImageModeling"


@attrs.frozen(kw_only=True)
class ViTConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, CLASSIFIER, MASKED))
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    intermediate_size: Dim = fields.size(3072)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: tuple[Dim, Dim] = fields.sides(16)
    num_channels: Dim = fields.size(3)
    qkv_bias: bool = fields.flag(True)
    pooler_output_size: Dim | None = fields.optional_size()
    pooler_act: str = activation("tanh")
    head_dim: Dim | None = fields.optional_size()
    encoder_stride: Dim = fields.size(16)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()


def build(config: ViTConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, or to the last layer's output and the pooled one."""
    check_entropy(labelled(config), workload, config.architectures)
    image = check_image(workload.image_size, config.image_size)
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *image))
    if config.architectures == MODEL:
        x = encoded(config, workload, b, pixels)
        with b.scope("pooler"):
            first = b.apply("select", x, name="first", dim=1)
            width = config.hidden_size if config.pooler_output_size is None else config.pooler_output_size
            pooled = linear(b, "dense", first, width)
            return x, activated(b, ACTIVATIONS[config.pooler_act], pooled, "activation")
    with b.scope("vit"):
        x = encoded(config, workload, b, pixels)
    if config.architectures == MASKED:
        return reconstructed(config, b, x)
    x = b.apply("select", x, name="first", dim=1)
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def labelled(config: ViTConfig) -> bool:
    """Returns whether the model has logits of classes."""
    return config.architectures == CLASSIFIER and classes(config.num_labels)


def reconstructed(config: ViTConfig, b: Builder, x: Value) -> Value:
    """Returns the image from the patches' tokens: adjacent squares of `encoder_stride` pixels."""
    batch, count, width = x.spec.shape
    step, channels = config.encoder_stride, config.num_channels
    x = b.apply("slice", x, name="patches", dim=1, start=1, length=count - 1)
    side = square_side(count - 1)
    x = b.apply("permute", x, name="channels_first", dims=(0, 2, 1))
    x = b.apply("reshape", x, name="places", shape=(batch, width, side, side))
    weight = b.parameter("decoder.0.weight", (step**2 * channels, width, 1, 1))
    x = b.apply("convolution", x, weight, b.parameter("decoder.0.bias", (step**2 * channels,)), name="decoder.0")
    x = b.apply("reshape", x, name="pixels_of_squares", shape=(batch, channels, step, step, side, side))
    x = b.apply("permute", x, name="squares_side_by_side", dims=(0, 1, 4, 2, 5, 3))
    return b.apply("reshape", x, name="reconstruction", shape=(batch, channels, side * step, side * step))


def square_side(count: Dim) -> Dim:
    """Returns the patches on each side of a square. Raises ConfigError if they do not form one."""
    if type(count) is not int:
        raise ConfigError(f"{MASKED} reads its patches as a square: image_size and patch_size are integers")
    if isqrt(count) ** 2 != count:
        raise ConfigError(f"{MASKED} reads its {count} patches as a square, which they are not: image_size is")
    return isqrt(count)


def encoded(config: ViTConfig, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the tokens of ViTModel, normalized."""
    width = config.hidden_size
    with b.scope("embeddings"):
        with b.scope("patch_embeddings"):
            x = patches(b, "projection", pixels, width, config.patch_size, bias=True)
        if config.architectures == MASKED:  # replaces masked patches, which a workload does not give
            resident(b, "mask_token", b.parameter("mask_token", (1, 1, width)))
        token = b.apply("expand", b.parameter("cls_token", (1, 1, width)), name="cls", shape=(workload.batch, 1, width))
        x = b.apply("concat", token, x, name="with_cls", dim=1)
        count = patch_count(config.image_size, config.patch_size) + 1
        x = b.apply("add", x, b.parameter("position_embeddings", (1, count, width)), name="with_positions")
        x = dropped(b, "dropout", x, config.hidden_dropout_prob, workload)
    b.hold(x)
    feed_forward = Mlp(
        config.intermediate_size, ACTIVATIONS[config.hidden_act], gated=False, up="fc1", down="fc2", bias=True
    )
    kind = Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        feed_forward,
        stack="layers",
        attention="attention",
        out="o_proj",
        norms=("layernorm_before", "layernorm_after"),
        bias=config.qkv_bias,
        attention_dropout=config.attention_probs_dropout_prob,
        dropout=config.hidden_dropout_prob,
        d_head=config.head_dim,
    )
    return layer_norm(b, "layernorm", tower(kind, workload, b, x))


ARCHITECTURE = Architecture(
    "vit",
    ViTConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    model_types=("vit",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(labelled(config)),
    doc="ViT: patches as tokens, learned positions, LayerNorm first; pooled or with the head of a class.",
)
