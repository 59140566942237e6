"""ModernBERT: an encoder with rotary positions, windows in two of three layers, gated networks and norms first.

Warner et al., 2024 (arXiv:2412.13663). The library's class without unpadding; the first layer has no norm before
attention, because the embedding's is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    exact_div,
    fields,
    floor_div,
    frozen,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.classifier import Classifier, classified, scored, token
from graphacct_architectures.decoders.parts.decode import decode
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import FULL, SLIDING, kinds_of_attention, layer_types
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.encoders.parts.family import built
from graphacct_architectures.layers import activation as act
from graphacct_architectures.layers import linear, norm

MODEL, MASKED = "ModernBertModel", "ModernBertForMaskedLM"
SEQUENCE, TOKENS = "ModernBertForSequenceClassification", "ModernBertForTokenClassification"
SPANS, CHOICE = "ModernBertForQuestionAnswering", "ModernBertForMultipleChoice"
TABLE = "embeddings.tok_embeddings"


@frozen(kw_only=True)
class ModernBertConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, MASKED, SEQUENCE, TOKENS, SPANS, CHOICE))
    vocab_size: Dim = fields.size(50368)
    hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(1152)
    num_hidden_layers: Dim = fields.size(22)
    num_attention_heads: Dim = fields.size(12)
    hidden_activation: str = activation("gelu")
    max_position_embeddings: Dim = fields.size(8192)
    norm_bias: bool = fields.flag(False)
    attention_bias: bool = fields.flag(False)
    attention_dropout: float = fields.probability(0.0)
    layer_types: tuple[str, ...] | None = layer_types()
    global_attn_every_n_layers: Dim = fields.size(3)
    rope_parameters: Mapping[str, Any] = rope_parameters()
    local_attention: Dim = fields.size(128)
    embedding_dropout: float = fields.probability(0.0)
    mlp_bias: bool = fields.flag(False)
    mlp_dropout: float = fields.probability(0.0)
    decoder_bias: bool = fields.flag(True)
    classifier_pooling: str = fields.choice("cls", ("cls", "mean"))
    classifier_dropout: float = fields.probability(0.0)
    classifier_bias: bool = fields.flag(False)
    classifier_activation: str = activation("gelu")
    num_labels: Dim = fields.label_count()
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def sliding_window(self) -> Dim:
        """How many positions a layer with a window sees on either side, its own included."""
        return floor_div(self.local_attention, 2) + 1


def describe(config: ModernBertConfig) -> Decoder:
    """Returns the layers, without a head. Raises ConfigError if the pattern of windows is a symbol."""
    every = config.global_attn_every_n_layers
    if type(every) is not int:
        raise ConfigError(f"global_attn_every_n_layers is {every}: give a number")
    width = config.hidden_size
    d_head = exact_div(width, config.num_attention_heads, "hidden_size / num_attention_heads")
    kind = Norm(LAYER_NORM, bias=config.norm_bias)
    network = Mlp(
        config.intermediate_size,
        ACTIVATIONS[config.hidden_activation],
        joint="Wi",
        down="Wo",
        bias=config.mlp_bias,
        dropout=config.mlp_dropout,
    )
    kinds = kinds_of_attention(config, lambda index: SLIDING if index % every else FULL)

    def layer(index: int, name: str) -> Layer:
        attention = Attention(
            config.num_attention_heads,
            config.num_attention_heads,
            d_head,
            module="attn",
            joint="Wqkv",
            out="Wo",
            bias=config.attention_bias,
            out_bias=config.attention_bias,
            rotary=d_head,
            rotary_tables=f"rotary_emb.{name}",
            window=config.sliding_window if name == SLIDING else None,
            causal=False,
            unmasked=True,
            dropout=config.attention_dropout,
        )
        first = "" if index == 0 else "attn_norm"
        dropout = config.attention_dropout
        return Layer(attention, network, kind, first, "", "mlp_norm", attention_dropout=dropout)

    return Decoder(
        config.vocab_size,
        width,
        tuple(layer(index, name) for index, name in enumerate(kinds)),
        module="" if config.architectures == MODEL else "model",
        embedding=TABLE,
        embedding_norm="embeddings.norm",
        norm="final_norm",
        norm_kind=kind,
        rotary_tables=tuple((f"rotary_emb.{name}", d_head) for name in sorted(set(kinds))),
        rotary_cast=False,
        embedding_dropout=config.embedding_dropout,
        headless=True,
    )


def classifier(config: ModernBertConfig) -> Classifier | None:
    """Returns the class's classifier, or None."""
    name = config.architectures
    counts = {SEQUENCE: config.num_labels, TOKENS: config.num_labels, SPANS: config.num_labels, CHOICE: 1}
    if name not in counts:
        return None
    pooled = {"cls": "first", "mean": "mean"}[config.classifier_pooling]
    return Classifier(
        "classifier",
        counts[name],
        pooled if name in (SEQUENCE, CHOICE) else "tokens",
        "head.dense",
        config.hidden_size,
        ACTIVATIONS[config.classifier_activation],
        dropout=config.classifier_dropout,
        spans=name == SPANS,
        norm="head.norm",
        dense_bias=config.classifier_bias,
        norm_bias=config.norm_bias,
    )


def build(config: ModernBertConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from token ids to the last layer's output, or to the class's logits."""
    x = decode(describe(config), workload, b)
    assert isinstance(x, Value)
    if config.architectures == MODEL:
        return x
    b.hold(x)
    found = classifier(config)
    if found is not None:
        return classified(found, workload, b, read(b, x, found.reads, chosen=config.architectures == CHOICE))
    y = linear(b, "head.dense", x, config.hidden_size, bias=config.classifier_bias)
    y = act(b, ACTIVATIONS[config.classifier_activation], y, "head.act")
    y = norm(b, "head.norm", y, LAYER_NORM, bias=config.norm_bias)
    tied = f"model.{TABLE}.weight" if config.tie_word_embeddings else ""
    y = linear(b, "decoder", y, config.vocab_size, bias=config.decoder_bias, tied_to=tied)
    return b.apply("select", y, name="logits", dim=-1) if equal(config.vocab_size, 1) else y


def read(b: Builder, x: Value, which: str, *, chosen: bool) -> Value:
    """Returns what a classifier reads of x (texts, tokens, width): all tokens, or of each text the first or their mean.
    Among answers to be `chosen` from, the first is read by each text's index; the mean divides by how many tokens are
    no padding, all here."""
    texts, tokens, _ = x.spec.shape
    if which == "mean":
        mask = b.apply("full", name="no_padding", shape=(texts, tokens), dtype="bool")
        column = b.apply("reshape", mask, name="mask_column", shape=(texts, tokens, 1))
        total = b.apply("sum", b.apply("mul", x, column, name="unpadded"), name="total", dim=1)
        wide = b.apply("cast", mask, name="mask_of_ints", dtype="int64")
        count = b.apply("sum", wide, name="count", dim=1, keepdim=True)
        mean: Value = b.apply("div", total, count, name="mean")
        return mean
    first = token(b, x, which)
    if which != "first" or not chosen:
        return first
    rows = b.apply("reshape", b.apply("arange", name="text_ids", n=texts), name="texts", shape=(texts,))
    firsts: Value = b.apply("index_select", first, rows, name="first_of_each")
    return firsts


def has_logits(config: ModernBertConfig) -> bool:
    """Returns whether a class has logits of words, of classes or of places in the text."""
    return config.architectures == MASKED or scored(classifier(config))


ARCHITECTURE = built(
    "modernbert",
    ModernBertConfig,
    build,
    PresetFiles(__file__),
    has_logits,
    lambda config: config.max_position_embeddings,
    doc="ModernBERT: rotary positions, windows, gated networks; alone or with the head of a class.",
    aliases={"hidden_act": "hidden_activation"},
    no_cost={
        **dict.fromkeys(("global_rope_theta", "local_rope_theta", "deterministic_flash_attn", "reference_compile")),
        **dict.fromkeys(("repad_logits_with_grad", "initializer_cutoff_factor", "sparse_pred_ignore_index")),
        "sparse_prediction": (False,),
    },
)
