"""ViLT: patches of an image beside a text's tokens in one Transformer, without a tower.

Kim et al., 2021 (arXiv:2102.03334). The library's class writes attention out, and takes every patch of an image of the
file's size, in an order that chance draws.
"""

from __future__ import annotations

import attrs

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen, has_value
from graphacct_architectures.activations import activation
from graphacct_architectures.layers import dropped, embedding, layer_norm, linear
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if
from graphacct_architectures.tower import check_image, patch_count, patches, tower
from graphacct_architectures.vit_layers import older_vit_layers

MODEL, ANSWERS = "ViltModel", "ViltForQuestionAnswering"


@frozen(kw_only=True)
class ViltConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(ANSWERS, (MODEL, ANSWERS))
    vocab_size: Dim = fields.size(30522)
    type_vocab_size: Dim = fields.size(2)
    modality_type_vocab_size: Dim = fields.size(2)
    max_position_embeddings: Dim = fields.size(40)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    intermediate_size: Dim = fields.size(3072)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    image_size: tuple[Dim, Dim] = fields.sides(384)
    patch_size: tuple[Dim, Dim] = fields.sides(32)
    num_channels: Dim = fields.size(3)
    qkv_bias: bool = fields.flag(True)
    max_image_length: int = fields.checked_field(lambda value, field: value, -1)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()


def build(config: ViltConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from a text and an image to logits, or to the tokens, normalized, and the pooled one."""
    answers = config.architectures == ANSWERS
    check_entropy(answers and classes(config.num_labels), workload, config.architectures)
    with b.scope("vilt" if answers else ""):
        x = layer_norm(b, "layernorm", stream(config, workload, b))
        first = b.apply("select", x, name="first", dim=1)
        first = b.apply("tanh", linear(b, "pooler.dense", first, config.hidden_size), name="pooler.activation")
    if not answers:
        return x, first
    y = layer_norm(b, "classifier.1", linear(b, "classifier.0", first, 2 * config.hidden_size))
    return (linear(b, "classifier.3", b.apply("gelu", y, name="classifier.2"), config.num_labels),)


def stream(config: ViltConfig, workload: Workload, b: Builder) -> Value:
    """Returns the stream of the text's tokens and the image's after all layers."""
    with b.scope("embeddings"):
        text, image = worded(config, workload, b), seen(config, workload, b)
        parts = []
        for word, x in (("text", text), ("image", image)):
            ids = b.apply("constant", name=f"{word}_kind_ids", shape=x.spec.shape[:2], dtype="int64")
            table = b.parameter("token_type_embeddings.weight", (config.modality_type_vocab_size, config.hidden_size))
            name = "token_type_embeddings" if word == "text" else "token_type_embeddings_of_image"
            kind = b.apply("embedding", ids, table, name=name)
            parts.append(b.apply("add", x, kind, name=f"{word}_with_kind"))
        x = b.apply("concat", *parts, name="text_and_image", dim=1)
    with b.scope("encoder"):
        return tower(older_vit_layers(config), attrs.evolve(workload, attention="eager"), b, x)


def worded(config: ViltConfig, workload: Workload, b: Builder) -> Value:
    """Returns the text's embedded tokens."""
    batch, seq, width = workload.batch, workload.seq_len, config.hidden_size
    longest = config.max_position_embeddings
    if has_value(seq) and has_value(longest) and seq > longest:
        raise ConfigError(f"seq_len {seq} is beyond the {longest} positions that the model has learned")
    ids = b.input("input_ids", (batch, seq), "int64")
    with b.scope("text_embeddings"):
        places = b.apply("constant", name="position_ids", shape=(1, seq), dtype="int64")
        types = b.apply("constant", name="token_type_ids", shape=(batch, seq), dtype="int64")
        x = embedding(b, "word_embeddings", ids, config.vocab_size, width)
        x = b.apply("add", x, embedding(b, "token_type_embeddings", types, config.type_vocab_size, width), name="typed")
        x = b.apply("add", x, embedding(b, "position_embeddings", places, longest, width), name="placed")
        return dropped(b, "dropout", layer_norm(b, "LayerNorm", x), config.hidden_dropout_prob, workload)


def seen(config: ViltConfig, workload: Workload, b: Builder) -> Value:
    """Returns an image's patches and a class token before them, with learned places between which the class
    interpolates."""
    side = check_image(workload.image_size, config.image_size)
    batch, width = workload.batch, config.hidden_size
    pixels = b.input("pixel_values", (batch, config.num_channels, *side))
    with b.scope("patch_embeddings"):
        x = patches(b, "projection", pixels, width, config.patch_size, bias=True)
    count = patch_count(config.image_size, config.patch_size)
    if has_value(count) and 0 <= config.max_image_length < count:
        raise ConfigError(
            f"max_image_length is {config.max_image_length}, fewer than an image's {count} patches: those that chance "
            "leaves out are not modelled; add --set max_image_length=-1"
        )
    token = b.apply("expand", b.parameter("cls_token", (1, 1, width)), name="cls", shape=(batch, 1, width))
    x = b.apply("concat", token, x, name="with_cls", dim=1)
    x = b.apply("add", x, b.parameter("position_embeddings", (1, count + 1, width)), name="image_placed")
    return dropped(b, "dropout", x, config.hidden_dropout_prob, workload)


ARCHITECTURE = Architecture(
    "vilt",
    ViltConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.max_position_embeddings,
        "image_size": lambda config: config.image_size,
    },
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost=dict.fromkeys(("num_images", "tie_word_embeddings")),
    inexact=lambda config, workload, dtype: ("an image's places are added as they are, which the class interpolates",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.architectures == ANSWERS and classes(config.num_labels)),
    model_types=("vilt",),
    doc="ViLT: an image's patches and a text's tokens in one Transformer.",
)
