"""Nomic BERT: rotary positions, gated networks, no biases in the layers' projections.

Nussbaum et al., 2024 (arXiv:2402.01613).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.encoders.parts.family import of_pooled, of_tokens
from graphacct_architectures.encoders.parts.rotary import RotaryEncoderConfig, plain, rotary_encoder, rotated

STEM = "NomicBert"
MODEL, MASKED, SEQUENCE, TOKENS, SPANS = (
    f"{STEM}{word}"
    for word in ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
)


@frozen(kw_only=True)
class NomicBertConfig(RotaryEncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, MASKED, SEQUENCE, TOKENS))
    vocab_size: Dim = fields.size(30528)
    hidden_act: str = activation("silu")
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    max_position_embeddings: Dim = fields.size(2048)


def describe(config: NomicBertConfig) -> Encoder:
    """Returns the pooler and the heads of the class."""
    name = config.architectures
    head = Head(
        "cls.predictions.transform.dense",
        config.hidden_size,
        ACTIVATIONS[config.hidden_act],
        "cls.predictions.transform.layer_norm",
        "cls.predictions.decoder",
        config.vocab_size,
        tied=config.tie_word_embeddings,
        bias="cls.predictions.bias",
    )
    classifiers = {SEQUENCE: of_pooled(config, config.num_labels), TOKENS: of_tokens(config)}
    return like_bert(
        config,
        "" if name == MODEL else "nomic_bert",
        pooled=name == SEQUENCE,
        head=head if name == MASKED else None,
        classifier=classifiers.get(name),
    )


def layers(config: NomicBertConfig) -> Decoder:
    """Returns the layers."""
    return rotated(config, plain(config), bias=False)


ARCHITECTURE = rotary_encoder(
    "nomic_bert",
    NomicBertConfig,
    describe,
    layers,
    PresetFiles(__file__),
    doc="Nomic BERT: rotary positions, gated networks without biases; alone or with the head of a class.",
)
