"""CLIP: a tower for images and one for texts, whose outputs are compared in pairs.

Radford et al., 2021 (arXiv:2103.00020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.layers import embedding, layer_norm, linear
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, check_entropy, classes, cross_entropy, entropy_if, total
from graphacct_architectures.tower import Tower, check_image, patch_count, patches, tower, tower_states

BOTH, CLASSIFIER = "CLIPModel", "CLIPForImageClassification"


@frozen(kw_only=True)
class TextConfig:
    """The text tower's keys that the cost depends on."""

    vocab_size: Dim = fields.size(49408)
    hidden_size: Dim = fields.size(512)
    intermediate_size: Dim = fields.size(2048)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(8)
    max_position_embeddings: Dim = fields.size(77)
    hidden_act: str = activation("quick_gelu")
    attention_dropout: float = fields.probability(0.0)


@frozen(kw_only=True)
class VisionConfig:
    """The image tower's keys that the cost depends on."""

    hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(3072)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: tuple[Dim, Dim] = fields.sides(32)
    hidden_act: str = activation("quick_gelu")
    attention_dropout: float = fields.probability(0.0)


@frozen(kw_only=True)
class TwoTowers:
    """The keys of both towers, which older files have twice; those under `…_config_dict` count, as in the transformers
    library."""

    text_config: TextConfig | None = fields.nested(TextConfig, "clip")
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "clip")
    text_config_dict: TextConfig | None = fields.nested(TextConfig, "clip")
    vision_config_dict: VisionConfig | None = fields.nested(VisionConfig, "clip")
    projection_dim: Dim = fields.size(512)
    dtype: str | None = fields.dtype()

    @property
    def text(self) -> TextConfig:
        """The text tower."""
        return self.text_config_dict or self.text_config or TextConfig()

    @property
    def vision(self) -> VisionConfig:
        """The image tower."""
        return self.vision_config_dict or self.vision_config or VisionConfig()

    @property
    def vision_key(self) -> str:
        """The key of the image tower."""
        return "vision_config_dict" if self.vision_config_dict else "vision_config"


@frozen(kw_only=True)
class CLIPConfig(TwoTowers):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(BOTH, (BOTH, CLASSIFIER))
    num_labels: Dim = fields.label_count()


def build(config: CLIPConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images and texts to the similarities of each pair, by image and by text, and the two
    embeddings; or from images to logits."""
    check_entropy(compared(config), workload, config.architectures)
    with b.scope("vision_model"):
        tokens, image = images(config.vision, workload, b, f"{config.vision_key}.image_size")
    if config.architectures == CLASSIFIER:
        return (classified(config, b, tokens),)
    with b.scope("text_model"):
        _, text = texts(config.text, workload, b)
    return alike(b, image, text, config.projection_dim)


def alike(b: Builder, image: Value, text: Value, width: Dim) -> tuple[Value, ...]:
    """Returns the similarities of each pair, by image and by text, and the two embeddings, projected to a width."""
    return similarities(b, *projected(b, image, text, width))


def similarities(b: Builder, image: Value, text: Value) -> tuple[Value, ...]:
    """Returns how alike each pair of embeddings of length 1 is, by image and by text, and the embeddings."""
    by_text = b.apply("matmul", text, b.apply("transpose", image, name="images", dims=(0, 1)), name="similarity")
    factor = b.apply("exp", b.parameter("logit_scale", ()), name="factor")
    by_text = b.apply("mul", by_text, factor, name="logits_per_text")
    by_image = b.apply("transpose", by_text, name="logits_per_image", dims=(0, 1))
    return by_image, by_text, text, image


def projected(b: Builder, image: Value, text: Value, width: Dim) -> tuple[Value, Value]:
    """Returns the embeddings of images and texts, each projected to a width and of length 1."""
    image = linear(b, "visual_projection", image, width, bias=False)
    text = linear(b, "text_projection", text, width, bias=False)
    return normalised(b, image, "image"), normalised(b, text, "text")


def classified(config: CLIPConfig, b: Builder, tokens: Value) -> Value:
    """Returns logits from the mean of an image's patches."""
    count = tokens.spec.shape[1] - 1
    patches = b.apply("slice", tokens, name="patches", dim=1, start=1, length=count)
    mean = b.apply("mean", patches, name="mean", dim=1)
    return mean if equal(config.num_labels, 0) else linear(b, "classifier", mean, config.num_labels)


def images(
    config: VisionConfig, workload: Workload, b: Builder, key: str = "image_size", first: str = "pre_layrnorm"
) -> tuple[Value, Value]:
    """Returns the tokens of each image after all layers, and the class token, normalized. `key` is the images' size,
    `first` the norm before the layers."""
    states = image_states(config, workload, b, key, first=first)
    x = states[config.num_hidden_layers]
    return x, layer_norm(b, "post_layernorm", b.apply("select", x, name="first", dim=1))


def image_states(
    config: VisionConfig,
    workload: Workload,
    b: Builder,
    key: str = "image_size",
    wanted: Sequence[int] = (),
    first: str = "pre_layrnorm",
) -> dict[Dim, Value]:
    """Returns the tokens of each image after all layers, and after as many as each `wanted` number says."""
    side = check_image(workload.image_size, config.image_size, key)
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *side))
    width = config.hidden_size
    with b.scope("embeddings"):
        x = patches(b, "patch_embedding", pixels, width, config.patch_size, bias=False)
        token = b.apply(
            "expand", b.parameter("class_embedding", (width,)), name="cls", shape=(workload.batch, 1, width)
        )
        x = b.apply("concat", token, x, name="with_cls", dim=1)
        count = patch_count(config.image_size, config.patch_size) + 1
        x = positioned(b, x, count, count)
    x = layer_norm(b, first, x)
    with b.scope("encoder"):
        return tower_states(described(config), workload, b, x, wanted)


def finish(config: Any, b: Builder, x: Value) -> Value:
    """Adds the pooled token's norm, which the class runs after the layers; returns the last hidden state x."""
    layer_norm(b, "post_layernorm", b.apply("select", x, name="first", dim=1))
    return x


def texts(config: TextConfig, workload: Workload, b: Builder) -> tuple[Value, Value]:
    """Returns the tokens of each text after all layers, normalized, and the last token: the one with the largest id."""
    ids, x = read(config, described(config, causal=True), workload, b)
    x = layer_norm(b, "final_layer_norm", x)
    rows = row_ids(b, workload.batch)
    last = b.apply("argmax", b.apply("cast", ids, name="ids", dtype="int32"), name="last")
    return x, b.apply("index_pairs", x, rows, last, name="pooled")


def read(config: Any, layers: Tower, workload: Workload, b: Builder) -> tuple[Value, Value]:
    """Returns the ids of texts, and their tokens after all layers of a tower. Raises ConfigError for a text that is
    longer than the positions."""
    seq, longest = workload.seq_len, config.max_position_embeddings
    if has_value(seq) and has_value(longest) and seq > longest:
        raise ConfigError(f"seq_len {seq} is beyond the {longest} positions that the model has learned")
    assert seq is not None  # the architecture declares its default
    ids = b.input("input_ids", (workload.batch, seq), "int64")
    with b.scope("embeddings"):
        x = embedding(b, "token_embedding", ids, config.vocab_size, config.hidden_size)
        x = positioned(b, x, longest, seq)
    with b.scope("encoder"):
        return ids, tower(layers, workload, b, x)


def row_ids(b: Builder, batch: Dim) -> Value:
    """Returns the numbers of the texts of a batch, by which one token of each is picked."""
    found: Value = b.apply("reshape", b.apply("arange", name="row_ids", n=batch), name="rows", shape=(batch,))
    return found


def positioned(b: Builder, x: Value, count: Dim, used: Dim) -> Value:
    """Returns x with the first `used` of `count` learned positions added; their ids are a buffer."""
    ids = b.apply("constant", name="position_ids", shape=(1, used), dtype="int64")
    return b.apply("add", x, embedding(b, "position_embedding", ids, count, x.spec.shape[-1]), name="embed")


def described(config: TextConfig | VisionConfig, causal: bool = False) -> Tower:
    """Returns the layers of a tower."""
    return Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], gated=False, up="fc1", down="fc2", bias=True),
        stack="layers",
        attention="self_attn",
        out="out_proj",
        norms=("layer_norm1", "layer_norm2"),
        causal=causal,
        attention_dropout=config.attention_dropout,
    )


def unit(b: Builder, x: Value, label: str) -> Value:
    """Returns each row divided by its length, as torch takes it at once."""
    length = b.apply("vector_norm", x, name=f"{label}_length", dim=-1, keepdim=True)
    found: Value = b.apply("div", x, length, name=f"{label}_normalised")
    return found


def normalised(b: Builder, x: Value, label: str) -> Value:
    """Returns each row divided by its length, step by step as in the published model."""
    squares = b.apply("square", x, name=f"{label}_squares")
    total = b.apply("sum", squares, name=f"{label}_total", dim=-1, keepdim=True)
    length = b.apply("pow", total, name=f"{label}_length", exponent=0.5)
    return b.apply("div", x, length, name=f"{label}_normalised")


def first_total(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the sum of the logits of each image, without the other outputs."""
    return total(config, outputs[:1], b)


def contrastive(config: CLIPConfig, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the mean of two cross-entropies: a text's target is its image, and an image's is its text; or the
    cross-entropy of a classifier's logits."""
    return (cross_entropy if config.architectures == CLASSIFIER else pairs_entropy)(config, outputs, b)


def pairs_entropy(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the mean of two cross-entropies: a text's target is its image, and an image's is its text."""
    by_image = outputs[0]
    by_text = b.apply("transpose", by_image, name="loss_by_text", dims=(0, 1))
    parts = []
    for label, logits in (("captions", by_text), ("images", by_image)):
        count = logits.spec.shape[0]
        places = b.apply("arange", name=f"loss_{label}_ids", n=count)
        targets = b.apply("reshape", places, name=f"loss_{label}_targets", shape=(count,))
        parts.append(b.apply("cross_entropy", logits, targets, name=f"loss_{label}"))
    return b.apply("scale", b.apply("add", *parts, name="loss_sum"), name="loss")


def compared(config: CLIPConfig) -> bool:
    """Returns whether the model has logits: similarities, or those of classes."""
    return config.architectures == BOTH or classes(config.num_labels)


SIZES: Mapping[str, Any] = {
    "seq_len": lambda config: config.text.max_position_embeddings,
    "image_size": lambda config: config.vision.image_size,
}
ARCHITECTURE = Architecture(
    "clip",
    CLIPConfig,
    build,
    PresetFiles(__file__),
    sizes=SIZES,
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost={"dropout": None, "projection_dim": None},  # of a tower alone
    losses={CROSS_ENTROPY: contrastive, SUM: first_total},
    default_loss=lambda config: entropy_if(compared(config)),
    model_types=("clip",),
    doc="CLIP: a ViT for images, a causal Transformer for as many texts, and how alike each pair is.",
)
