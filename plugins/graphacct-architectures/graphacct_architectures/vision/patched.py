"""Models of an image's patches as tokens: learned tokens in front, learned positions, a tower, a head of some class.

Dosovitskiy et al., 2020 (arXiv:2010.11929).
"""

from __future__ import annotations

from math import isqrt
from typing import ClassVar

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear, resident
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if
from graphacct_architectures.tower import check_image, patch_count, patches, tower
from graphacct_architectures.vit_layers import vit_layers

CLASSIFIER, MASKED, TAUGHT = "ForImageClassification", "ForMaskedImageModeling", "ForImageClassificationWithTeacher"
"""How the names of classes end: with a classifier, with pixels for masked patches, and with a classifier of two
tokens."""


@frozen(kw_only=True)
class Patched:
    """The keys of the published config.json that the families share and that the cost depends on.

    A family's own class names its `architectures`, and sets the facts below.
    """

    SCOPE: ClassVar[str] = ""
    """The encoder's name in a class with a head."""
    TOKENS: ClassVar[tuple[str, ...]] = ("cls_token",)
    """The learned tokens before the patches."""
    POOLED: ClassVar[bool] = True
    """Whether the bare model has a second output, pooled from the first token."""
    MEAN: ClassVar[bool] = False
    """Whether the classifier reads the mean of all tokens, and not the first."""

    architectures: str = ""
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

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes."""
        return self.architectures.endswith((CLASSIFIER, TAUGHT)) and classes(self.num_labels)

    @property
    def masked(self) -> bool:
        """Whether the model reconstructs masked patches."""
        return self.architectures.endswith(MASKED)


def build(config: Patched, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, or to the last layer's output and the pooled one."""
    check_entropy(config.labelled, workload, config.architectures)
    image = check_image(workload.image_size, config.image_size)
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *image))
    if config.architectures.endswith("Model"):
        x = encoded(config, workload, b, pixels)
        return (x, pooled(config, b, x)) if config.POOLED else x
    with b.scope(config.SCOPE):
        x = encoded(config, workload, b, pixels)
    if config.masked:
        return reconstructed(config, b, x)
    if config.architectures.endswith(TAUGHT):
        return taught(config, b, x)
    x = b.apply("mean", x, name="mean", dim=1) if config.MEAN else b.apply("select", x, name="first", dim=1)
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def pooled(config: Patched, b: Builder, x: Value) -> Value:
    """Returns the first token after a layer of its own."""
    with b.scope("pooler"):
        first = b.apply("select", x, name="first", dim=1)
        width = config.hidden_size if config.pooler_output_size is None else config.pooler_output_size
        return activated(b, ACTIVATIONS[config.pooler_act], linear(b, "dense", first, width), "activation")


def taught(config: Patched, b: Builder, x: Value) -> tuple[Value, Value, Value]:
    """Returns the mean of two classifiers' logits and both: of the class token, and of the one that a teacher
    trains."""
    read = []
    for place, name in enumerate(("cls_classifier", "distillation_classifier")):
        token = b.apply("select", x, name=f"{name}_token", dim=1, index=place)
        read.append(token if equal(config.num_labels, 0) else linear(b, name, token, config.num_labels))
    together = b.apply("add", *read, name="both")
    return b.apply("scale", together, name="logits"), *read


def reconstructed(config: Patched, b: Builder, x: Value) -> Value:
    """Returns the image from the patches' tokens: adjacent squares of `encoder_stride` pixels."""
    batch, count, width = x.spec.shape
    step, channels, front = config.encoder_stride, config.num_channels, len(config.TOKENS)
    x = b.apply("slice", x, name="patches", dim=1, start=front, length=count - front)
    side = square_side(count - front, config.architectures)
    x = b.apply("permute", x, name="channels_first", dims=(0, 2, 1))
    x = b.apply("reshape", x, name="places", shape=(batch, width, side, side))
    return in_squares(b, x, step, channels)


def in_squares(b: Builder, x: Value, step: Dim, channels: Dim) -> Value:
    """Returns an image of squares of `step` pixels, each made from the channels at one place."""
    batch, width, rows, columns = x.spec.shape
    weight = b.parameter("decoder.0.weight", (step**2 * channels, width, 1, 1))
    x = b.apply("convolution", x, weight, b.parameter("decoder.0.bias", (step**2 * channels,)), name="decoder.0")
    x = b.apply("reshape", x, name="pixels_of_squares", shape=(batch, channels, step, step, rows, columns))
    x = b.apply("permute", x, name="squares_side_by_side", dims=(0, 1, 4, 2, 5, 3))
    return b.apply("reshape", x, name="reconstruction", shape=(batch, channels, rows * step, columns * step))


def square_side(count: Dim, name: str) -> Dim:
    """Returns the patches on each side of a square. Raises ConfigError if they do not form one."""
    if type(count) is not int:
        raise ConfigError(f"{name} reads its patches as a square: image_size and patch_size are integers")
    if isqrt(count) ** 2 != count:
        raise ConfigError(f"{name} reads its {count} patches as a square, which they are not: image_size is")
    return isqrt(count)


def embedded(config: Patched, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the learned tokens and the patches, with their positions."""
    width = config.hidden_size
    with b.scope("embeddings"):
        with b.scope("patch_embeddings"):
            x = patches(b, "projection", pixels, width, config.patch_size, bias=True)
        if config.masked:  # replaces masked patches, which a workload does not give
            resident(b, "mask_token", b.parameter("mask_token", (1, 1, width)))
        front = [
            b.apply("expand", b.parameter(token, (1, 1, width)), name=token, shape=(workload.batch, 1, width))
            for token in config.TOKENS
        ]
        if front:
            x = b.apply("concat", *front, x, name="with_tokens", dim=1)
        count = patch_count(config.image_size, config.patch_size) + len(front)
        x = b.apply("add", x, b.parameter("position_embeddings", (1, count, width)), name="with_positions")
        return dropped(b, "dropout", x, config.hidden_dropout_prob, workload)


def encoded(config: Patched, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the tokens of the bare model, normalized."""
    x = embedded(config, workload, b, pixels)
    b.hold(x)
    return layer_norm(b, "layernorm", tower(vit_layers(config), workload, b, x))


def family(name: str, config: type[Patched], presets: PresetFiles, doc: str) -> Architecture:
    """Returns the architecture of a family of which its configuration class says everything."""
    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={"image_size": lambda config: config.image_size},
        attention=("fused", "eager"),
        dtype="float32",
        aliases={"torch_dtype": "dtype", **fields.LABELS},
        model_types=(name,),
        losses=LOSSES,
        default_loss=lambda config: entropy_if(config.labelled),
        doc=doc,
    )
