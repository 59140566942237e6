"""T5Gemma: Gemma 2's layers as an encoder that sees both ways and as a decoder that attends to it too.

Zhang et al., 2025 (arXiv:2504.06225); names and order as in the transformers library's T5GemmaForConditionalGeneration.
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
    SubModel,
    Value,
    Workload,
    equal,
    fields,
    frozen,
)
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.encoder_decoders.parts.crossed import alone, both, encoded, with_cross
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, check_entropy, entropy_if, own_cross_entropy, total

LM, MODEL, ENCODER = "T5GemmaForConditionalGeneration", "T5GemmaModel", "T5GemmaEncoderModel"
SEQUENCE, TOKENS = "T5GemmaForSequenceClassification", "T5GemmaForTokenClassification"
NORMS: dict[str, Any] = {
    "attention_norm": "pre_self_attn_layernorm",
    "attention_post_norm": "post_self_attn_layernorm",
    "mlp_norm": "pre_feedforward_layernorm",
    "mlp_post_norm": "post_feedforward_layernorm",
}
AROUND = (
    ("pre_self_attn_layernorm", "post_self_attn_layernorm"),
    ("pre_cross_attn_layernorm", "post_cross_attn_layernorm"),
    ("pre_feedforward_layernorm", "post_feedforward_layernorm"),
)


@frozen(kw_only=True)
class T5GemmaConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, ENCODER, SEQUENCE, TOKENS))
    encoder: SubModel = fields.model("t5_gemma_module", always=True)
    decoder: SubModel = fields.model("t5_gemma_module", always=True)
    dropout_rate: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    tie_word_embeddings: bool = fields.flag(True)
    is_encoder_decoder: bool = fields.flag(True)
    num_labels: Dim = fields.label_count()
    classifier_dropout_rate: float = fields.probability(0.0)
    dtype: str | None = fields.dtype()

    @property
    def scored(self) -> bool:
        """Whether its class has logits that a cross-entropy reads."""
        labelled = self.architectures in (SEQUENCE, TOKENS) and not equal(self.num_labels, 1)
        return self.architectures == LM or labelled


def stack(config: T5GemmaConfig, own: SubModel, module: str) -> Decoder:
    """Returns one of the two stacks, as a decoder alone."""
    d: Decoder = own.architecture.build.describe(own.config)
    assert isinstance(d.layer, tuple)

    def layer(kind: Layer) -> Layer:
        assert isinstance(kind.attention, Attention)
        assert isinstance(kind.feed_forward, Mlp)
        return attrs.evolve(
            kind,
            attention=attrs.evolve(kind.attention, dropout=config.attention_dropout),
            feed_forward=attrs.evolve(kind.feed_forward, dropout=config.dropout_rate),
            dropout=config.dropout_rate,
            **NORMS,
        )

    root = "" if config.architectures in (MODEL, ENCODER) else "model."
    return attrs.evolve(
        d,
        layer=tuple(map(layer, d.layer)),
        module=f"{root}{module}",
        embedding_dropout=config.dropout_rate,
        last_dropout=config.dropout_rate,
        classifier=None,
    )


def encoder_of(config: T5GemmaConfig) -> Decoder:
    """Returns the encoder, whose attention goes both ways."""
    d = stack(config, config.encoder, "encoder")
    assert isinstance(d.layer, tuple)

    def layer(kind: Layer) -> Layer:
        assert isinstance(kind.attention, Attention)
        window = kind.attention.window
        reach = None if window is None else (window, window)
        return attrs.evolve(kind, attention=attrs.evolve(kind.attention, causal=False, reach=reach))

    return attrs.evolve(
        d,
        layer=tuple(map(layer, d.layer)),
        classifier=classifier_of(config),
    )


def classifier_of(config: T5GemmaConfig) -> Classifier | None:
    """Returns the head of a class that classifies texts, by their last token, or tokens; None for other classes."""
    if config.architectures not in (SEQUENCE, TOKENS):
        return None
    of_texts, rate = config.architectures == SEQUENCE, config.classifier_dropout_rate
    return Classifier("score.out_proj", config.num_labels, dropout=rate, pooled=of_texts)


def decoder_of(config: T5GemmaConfig) -> Decoder:
    """Returns the decoder, whose layers attend to the encoder's output too."""
    d = stack(config, config.decoder, "decoder")
    assert isinstance(d.layer, tuple)
    width: Dim = config.encoder.config.hidden_size

    def layer(kind: Layer) -> Layer:
        assert isinstance(kind.attention, Attention)
        change: dict[str, Any] = {"module": "cross_attn", "rotary": 0, "window": None, "causal": False}
        cross = attrs.evolve(kind.attention, **change, unmasked=True, masked=False)
        return with_cross(kind, cross, config.dropout_rate, AROUND, width)

    return attrs.evolve(
        d,
        layer=tuple(map(layer, d.layer)),
        headless=config.architectures == MODEL,
        classifier=classifier_of(config),
        head="lm_head.out_proj",
        tied=config.tie_word_embeddings,
    )


def build(config: T5GemmaConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from token ids to logits, or to the last stream. Raises ConfigError for a classifier that
    writes text."""
    check_entropy(config.scored, workload, config.architectures)
    if config.architectures in (SEQUENCE, TOKENS):
        if workload.phase in ("prefill", "decode") or workload.logits == "last":
            raise ConfigError(f"{config.architectures} classifies: it has the phases forward and train, and all logits")
        if not config.is_encoder_decoder:
            return alone(encoder_of(config), workload, b)
    if config.architectures == ENCODER:
        return encoded(encoder_of(config), workload, b)
    return both(encoder_of(config), decoder_of(config), workload, b)


ARCHITECTURE = Architecture(
    "t5gemma",
    T5GemmaConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.decoder.config.max_position_embeddings,
        "encoder_seq_len": lambda config: None,
    },
    attention=("fused", "eager"),
    phases=("forward", "train", "prefill", "decode"),
    last_logits=True,
    losses={CROSS_ENTROPY: own_cross_entropy, SUM: total},
    default_loss=lambda config: entropy_if(config.scored),
    dtype="bfloat16",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost=dict.fromkeys(("vocab_size", "label2id")),
    model_types=("t5gemma",),
    doc="T5Gemma: Gemma 2's layers as an encoder and as a decoder that attends to it.",
)
