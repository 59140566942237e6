"""ModernBERT as a decoder: windows in two of three layers, gated networks, norms first, and a dense layer with a norm
before the vocabulary.

Weller et al., 2025 (arXiv:2507.11412); names and order as in the transformers library's ModernBertDecoderForCausalLM.
"""

from __future__ import annotations

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, floor_div, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.decoders.parts.decode import decode
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Transform
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    DecoderConfig,
    Decoding,
    decoder,
    kinds_of_attention,
    layer_types,
    tables_of_each,
)
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, check_outputs, checked

CLASSES = (CAUSAL, ALONE, SEQUENCE)


@frozen(kw_only=True)
class ModernBertDecoderConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(50368)
    hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(1152)
    num_hidden_layers: Dim = fields.size(22)
    num_attention_heads: Dim = fields.size(12)
    hidden_activation: str = activation("gelu")
    max_position_embeddings: Dim = fields.size(8192)
    tie_word_embeddings: bool = fields.flag(True)
    norm_bias: bool = fields.flag(False)
    attention_bias: bool = fields.flag(False)
    embedding_dropout: float = fields.probability(0.0)
    mlp_bias: bool = fields.flag(False)
    mlp_dropout: float = fields.probability(0.0)
    decoder_bias: bool = fields.flag(True)
    classifier_dropout: float | None = fields.optional_probability()
    classifier_bias: bool = fields.flag(False)
    classifier_activation: str = activation("gelu")
    local_attention: Dim | None = fields.window(128)
    layer_types: tuple[str, ...] | None = layer_types()
    global_attn_every_n_layers: Dim = fields.size(3)

    @property
    def sliding_window(self) -> Dim | None:
        """How many positions a layer with a window sees, its own included."""
        return None if self.local_attention is None else floor_div(self.local_attention, 2)


def describe(config: ModernBertDecoderConfig) -> Decoder:
    """Returns layers that differ in their window; the first has no norm before attention, because the embedding's is
    there."""
    every = config.global_attn_every_n_layers
    if type(every) is not int:
        raise ConfigError(f"global_attn_every_n_layers is {every}: give a number")
    kinds = kinds_of_attention(config, lambda index: SLIDING if index % every else FULL)
    norm = Norm(LAYER_NORM, bias=config.norm_bias)
    act = ACTIVATIONS[config.hidden_activation]
    network = Mlp(
        config.intermediate_size, act, joint="Wi", down="Wo", bias=config.mlp_bias, dropout=config.mlp_dropout
    )

    def layer(index: int, kind: str) -> Layer:
        attention = Attention(
            config.num_attention_heads,
            config.num_attention_heads,
            config.d_head,
            module="attn",
            out="Wo",
            bias=config.attention_bias,
            out_bias=config.attention_bias,
            rotary=config.d_head,
            rotary_tables=f"rotary_emb.{kind}",
            window=config.sliding_window if kind == SLIDING else None,
            dropout=config.attention_dropout,
        )
        first = "attn_norm" if index else ""
        return Layer(attention, network, norm, first, "", "mlp_norm", attention_dropout=config.attention_dropout)

    return Decoder(
        config.vocab_size,
        config.hidden_size,
        tuple(layer(index, kind) for index, kind in enumerate(kinds)),
        embedding="embeddings.tok_embeddings",
        embedding_norm="embeddings.norm",
        embedding_dropout=config.embedding_dropout,
        norm="final_norm",
        norm_kind=norm,
        head="decoder",
        head_bias=config.decoder_bias,
        tied=config.tie_word_embeddings,
        rotary_tables=tuple((f"rotary_emb.{kind}", config.d_head) for kind in sorted(set(kinds))),
        transform=Transform("lm_head", config.classifier_bias, ACTIVATIONS[config.classifier_activation], norm),
    )


def classifier(config: ModernBertDecoderConfig) -> Classifier:
    """Returns the classifier of texts, which reads each token as the language model's head does."""
    return Classifier(
        "classifier",
        config.num_labels,
        dense="head.dense",
        width=config.hidden_size,
        activation=ACTIVATIONS[config.classifier_activation],
        dropout=config.classifier_dropout or 0.0,
        bias=config.classifier_bias,
        pooled=True,
        norm="head.norm",
        dense_bias=config.classifier_bias,
        norm_bias=config.norm_bias,
    )


@frozen
class ModernBertDecoding(Decoding):
    """The same, of a family with a classifier of its own."""

    def __call__(self, config: ModernBertDecoderConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        """Returns the outputs of the class that the configuration names."""
        if checked(config, self.name, self.classes, self.stem) != SEQUENCE:
            return super().__call__(config, workload, b)
        check_outputs(SEQUENCE, config, workload)
        return decode(attrs.evolve(describe(config), classifier=classifier(config)), workload, b)


ARCHITECTURE = attrs.evolve(
    decoder(
        "modernbert-decoder",
        ModernBertDecoderConfig,
        describe,
        PresetFiles(__file__),
        aliases={"hidden_act": "hidden_activation"},
        classes=CLASSES,
        inexact=tables_of_each,
        # the class sets sliding_window from local_attention, whatever the file says
        no_cost=dict.fromkeys(("global_rope_theta", "local_rope_theta", "initializer_cutoff_factor", "sliding_window")),
        doc="ModernBERT as a decoder: windows, gated networks, a dense layer before the vocabulary.",
    ),
    build=ModernBertDecoding("modernbert-decoder", describe, CLASSES, stem="ModernBertDecoder"),
)
