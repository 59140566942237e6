"""Pix2Struct: patches of an image of any shape into an encoder, and T5's decoder.

Lee et al., 2022 (arXiv:2210.03347). `encoder_seq_len` is the number of patches.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    exact_div,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.encoder_decoders.parts.description import (
    Attention,
    EncoderDecoder,
    Head,
    Part,
    Relative,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.run import attending
from graphacct_architectures.layers import embedding, linear
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, own_cross_entropy, total
from graphacct_architectures.residing import reside
from graphacct_architectures.tower import Tower, tower

CLASS = "Pix2StructForConditionalGeneration"
NORM = Norm(upcast="statistics")


def _none() -> Any:
    """Returns a key of a dropout of the encoder, which is 0 in published files and not modelled."""

    def check(value: Any, field: attrs.Attribute[Any]) -> float:
        if value not in (0, 0.0):
            raise ConfigError(f"{field.name} is {brief(value)}: the encoder is read without it alone, which is 0")
        return 0.0

    return fields.checked_field(check, 0.0)


@frozen(kw_only=True)
class TextConfig:
    """The decoder's keys that the cost depends on."""

    vocab_size: Dim = fields.size(50244)
    hidden_size: Dim = fields.size(768)
    d_kv: Dim = fields.size(64)
    d_ff: Dim = fields.size(2048)
    num_layers: Dim = fields.size(12)
    num_heads: Dim = fields.size(12)
    relative_attention_num_buckets: Dim = fields.size(32)
    dropout_rate: float = fields.probability(0.1)
    dense_act_fn: str = activation("gelu_new")


@frozen(kw_only=True)
class VisionConfig:
    """The encoder's keys that the cost depends on."""

    hidden_size: Dim = fields.size(768)
    patch_embed_hidden_size: Dim = fields.size(768)
    d_ff: Dim = fields.size(2048)
    d_kv: Dim = fields.size(64)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    dense_act_fn: str = activation("gelu_new")
    dropout_rate: float = _none()
    attention_dropout: float = fields.probability(0.0)
    seq_len: Dim = fields.size(4096)


@frozen(kw_only=True)
class Pix2StructConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASS, (CLASS,))
    text_config: TextConfig | None = fields.nested(TextConfig, "pix2struct")
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "pix2struct")
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()

    @property
    def text(self) -> TextConfig:
        """The decoder."""
        return self.text_config or TextConfig()

    @property
    def vision(self) -> VisionConfig:
        """The encoder."""
        return self.vision_config or VisionConfig()


def build(config: Pix2StructConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from patches and ids to logits."""
    if workload.phase == "decode":
        aside = Builder("encoder", b.operators, b.dtype)
        reside(b, aside.graph(encoded(config.vision, workload, aside)))
        return attending(described(config), workload, b, None)
    states = encoded(config.vision, workload, b)
    b.hold(states)
    return attending(described(config), workload, b, states)


def encoded(c: VisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the patches (batch, patches, width) after all layers, normalized."""
    batch, count, width = workload.batch, workload.encoder_seq_len, c.hidden_size
    if has_value(count) and has_value(c.seq_len) and count > c.seq_len:
        raise ConfigError(f"encoder_seq_len {count} is beyond vision_config.seq_len {c.seq_len}: fewer patches")
    given = b.input("flattened_patches", (batch, count, c.patch_embed_hidden_size + 2))
    kind = Tower(
        c.num_hidden_layers,
        c.num_attention_heads,
        Mlp(c.d_ff, ACTIVATIONS[c.dense_act_fn], gate="wi_0", up="wi_1", down="wo"),
        stack="layer",
        attention="attention",
        out="output",
        norms=("pre_attention_layer_norm", "pre_mlp_layer_norm"),
        bias=False,
        out_bias=False,
        attention_dropout=c.attention_dropout,
        d_head=c.d_kv,
        norm=NORM,
        softmax_upcast=False,
        qkv=("query", "key", "value"),
    )
    phase = "train" if workload.phase == "train" else "forward"
    with b.scope("encoder"):
        with b.scope("embeddings"):
            x = b.apply("slice", given, name="pixels", dim=2, start=2, length=c.patch_embed_hidden_size)
            x = linear(b, "patch_projection", x, width)
            for index, word in enumerate(("row", "column")):
                ids = b.apply("select", given, name=f"{word}_places", dim=2, index=index)
                ids = b.apply("cast", ids, name=f"{word}_ids", dtype="int64")
                x = b.apply("add", x, embedding(b, f"{word}_embedder", ids, c.seq_len, width), name=f"with_{word}")
        with b.scope("encoder"):
            x = tower(kind, attrs.evolve(workload, phase=phase), b, x)
        return normed_by(b, "layernorm", x, NORM)


def described(config: Pix2StructConfig) -> EncoderDecoder:
    """Returns the decoder: T5's layers under other names."""
    c = config.text
    heads = exact_div(c.hidden_size, c.d_kv, "text_config.hidden_size / d_kv")
    relative = Relative("layer.0.self_attention.attention.relative_attention_bias", c.relative_attention_num_buckets)

    def attention(scope: str, width: Dim | None = None, *, cross: bool = False) -> Part:
        found = Attention(
            heads,
            c.d_kv,
            "attention",
            cross,
            q="query",
            k="key",
            v="value",
            out="output",
            bias=False,
            scaled=False,
            biased=True,
            dropout=c.dropout_rate,
            kv_width=width,
        )
        return Part(found, "layer_norm", scope)

    network = Mlp(
        c.d_ff,
        ACTIVATIONS[c.dense_act_fn],
        module="DenseReluDense",
        gate="wi_0",
        up="wi_1",
        down="wo",
        dropout=c.dropout_rate,
    )
    other = attention("encoder_decoder_attention", config.vision.hidden_size, cross=True)
    decoder = Stack(
        (attention("self_attention"), other, Part(network, "layer_norm", "mlp")),
        c.num_layers,
        "decoder",
        "layer",
        relative=relative,
        norm="final_layer_norm",
        norm_kind=NORM,
        last_dropout=True,
    )
    return EncoderDecoder(
        c.vocab_size,
        c.hidden_size,
        None,
        decoder,
        shared="",
        head=Head("decoder.lm_head", tied=config.tie_word_embeddings),
        dropout=c.dropout_rate,
    )


ARCHITECTURE = Architecture(
    "pix2struct",
    Pix2StructConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: 512, "encoder_seq_len": lambda config: config.vision.seq_len},
    attention=("fused", "eager"),
    phases=("forward", "train", "prefill", "decode"),
    last_logits=True,
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(
        (
            *("is_vqa", "initializer_factor", "is_encoder_decoder", "relative_attention_max_distance", "num_heads"),
            *("layer_norm_bias", "num_channels", "patch_size", "image_size", "feed_forward_proj", "n_positions"),
            *("is_decoder", "relative_attention_num_buckets"),
        )
    ),
    losses={CROSS_ENTROPY: own_cross_entropy, SUM: total},
    model_types=("pix2struct",),
    doc="Pix2Struct: patches of an image of any shape into an encoder, and T5's decoder.",
)
