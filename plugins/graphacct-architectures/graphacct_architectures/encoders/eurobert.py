"""EuroBERT: Llama's layers without a causal mask, alone or with the head of a class.

Boizard et al., 2025 (arXiv:2503.05500).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import Builder, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.decode import decode
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.encoders.parts.family import built
from graphacct_architectures.layers import linear

MODEL, MASKED = "EuroBertModel", "EuroBertForMaskedLM"
SEQUENCE, TOKENS = "EuroBertForSequenceClassification", "EuroBertForTokenClassification"


@frozen(kw_only=True)
class EuroBertConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, MASKED, SEQUENCE, TOKENS))
    vocab_size: Dim = fields.size(128256)
    hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(3072)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    num_key_value_heads: Dim | None = fields.optional_size()
    head_dim: Dim | None = fields.optional_size()
    hidden_act: str = activation("silu")
    max_position_embeddings: Dim = fields.size(8192)
    attention_bias: bool = fields.flag(False)
    attention_dropout: float = fields.probability(0.0)
    mlp_bias: bool = fields.flag(False)
    rope_parameters: Mapping[str, Any] = rope_parameters()
    classifier_pooling: str = fields.choice("late", ("late", "bos", "mean"))
    num_labels: Dim = fields.label_count()
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def describe(config: EuroBertConfig) -> Decoder:
    """Returns the layers, without a head."""
    heads, width = config.num_attention_heads, config.hidden_size
    d_head = (
        exact_div(width, heads, "hidden_size / num_attention_heads") if config.head_dim is None else config.head_dim
    )
    attention = Attention(
        heads,
        heads if config.num_key_value_heads is None else config.num_key_value_heads,
        d_head,
        bias=config.attention_bias,
        out_bias=config.attention_bias,
        rotary=d_head,
        causal=False,
        unmasked=True,
        dropout=config.attention_dropout,
    )
    network = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], bias=config.mlp_bias)
    return Decoder(
        config.vocab_size,
        width,
        Layer(attention, network),
        config.num_hidden_layers,
        module="" if config.architectures == MODEL else "model",
        rotary_tables=(("rotary_emb", d_head),),
        headless=True,
    )


def build(config: EuroBertConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from token ids to the last layer's output, or to the class's logits."""
    x = decode(describe(config), workload, b)
    assert isinstance(x, Value)
    name = config.architectures
    if name == MODEL:
        return x
    b.hold(x)
    if name == MASKED:
        tied = "model.embed_tokens.weight" if config.tie_word_embeddings else ""
        return linear(b, "lm_head", x, config.vocab_size, bias=config.mlp_bias, tied_to=tied)
    if name == TOKENS:
        return linear(b, "classifier", x, config.num_labels)
    if config.classifier_pooling == "bos":
        x = b.apply("select", x, name="first", dim=1)
    elif config.classifier_pooling == "mean":
        x = b.apply("mean", x, name="mean", dim=1)
    x = b.apply("gelu", linear(b, "dense", x, config.hidden_size), name="activation")
    x = linear(b, "classifier", x, config.num_labels)
    return b.apply("mean", x, name="logits", dim=1) if config.classifier_pooling == "late" else x


def has_logits(config: EuroBertConfig) -> bool:
    """Returns whether a class has logits of words or of classes."""
    return config.architectures == MASKED or (config.architectures != MODEL and config.num_labels != 1)


ARCHITECTURE = built(
    "eurobert",
    EuroBertConfig,
    build,
    PresetFiles(__file__),
    has_logits,
    lambda config: config.max_position_embeddings,
    doc="EuroBERT: Llama's layers that look both ways, alone or with the head of a class.",
    no_cost={"pretraining_tp": None},
)
