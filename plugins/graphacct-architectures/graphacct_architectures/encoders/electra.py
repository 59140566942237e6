"""ELECTRA: BERT's layers with narrow embeddings; the discriminator finds replaced tokens, the generator makes them.

Clark et al., 2020 (arXiv:2003.10555).
"""

from __future__ import annotations

from graphacct import ConfigError, Dim, PresetFiles, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder, of_first, of_spans, of_tokens

MODEL, REPLACED, MASKED, CAUSAL = "ElectraModel", "ElectraForPreTraining", "ElectraForMaskedLM", "ElectraForCausalLM"
SEQUENCE, TOKENS = "ElectraForSequenceClassification", "ElectraForTokenClassification"
SPANS, CHOICE = "ElectraForQuestionAnswering", "ElectraForMultipleChoice"
CLASSES = (MODEL, REPLACED, MASKED, CAUSAL, SEQUENCE, TOKENS, SPANS, CHOICE)
SUMMARIES = {"first": "first", "last": "last", "mean": "mean", "cls_index": "gathered"}
"""The input of each `summary_type`; without a token's index, the last token, read by an index that is made."""


@frozen(kw_only=True)
class ElectraConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, CLASSES)
    embedding_size: Dim = fields.size(128)
    hidden_size: Dim = fields.size(256)
    num_attention_heads: Dim = fields.size(4)
    intermediate_size: Dim = fields.size(1024)
    summary_type: str = fields.choice("first", tuple(SUMMARIES))
    summary_use_proj: bool = fields.flag(True)
    summary_proj_to_labels: bool = fields.flag(False)
    summary_activation: str = activation("gelu")
    summary_first_dropout: float = fields.probability(0.0)
    summary_last_dropout: float = fields.probability(0.1)


def describe(config: ElectraConfig) -> Encoder:
    """Returns the encoder alone, or with its class's head."""
    words = Head(
        "generator_predictions.dense",
        config.embedding_size,
        "gelu",
        "generator_predictions.LayerNorm",
        "generator_lm_head",
        config.vocab_size,
        tied=config.tie_word_embeddings,
    )
    heads = {
        REPLACED: Head(
            "discriminator_predictions.dense",
            config.hidden_size,
            ACTIVATIONS[config.hidden_act],
            "",
            "discriminator_predictions.dense_prediction",
            1,
        ),
        MASKED: words,
        CAUSAL: words,
    }
    classifiers = {
        SEQUENCE: of_first(config, "gelu"),
        TOKENS: of_tokens(config),
        SPANS: of_spans(config),
        CHOICE: of_summary(config),
    }
    name = config.architectures
    module = "" if name == MODEL else "electra"
    width = config.embedding_size
    return like_bert(config, module, embedding_width=width, head=heads.get(name), classifier=classifiers.get(name))


def of_summary(config: ElectraConfig) -> Classifier:
    """Returns a classifier with one logit per answer, from a summary of its tokens. Raises ConfigError if the summary
    is not `hidden_size` wide."""
    width, labels = config.hidden_size, config.num_labels
    if config.summary_use_proj and config.summary_proj_to_labels and not equal(labels, width):
        raise ConfigError(
            f"summary_proj_to_labels makes {labels} numbers, but the classifier takes hidden_size {width}"
        )
    return Classifier(
        "classifier",
        1,
        SUMMARIES[config.summary_type],
        dense="sequence_summary.summary" if config.summary_use_proj else "",
        width=width,
        activation=ACTIVATIONS[config.summary_activation],
        early_dropout=config.summary_first_dropout,
        dropout=config.summary_last_dropout,
    )


ARCHITECTURE = encoder(
    "electra",
    ElectraConfig,
    describe,
    PresetFiles(__file__),
    doc="ELECTRA: BERT's layers with narrow embeddings, alone or with the head of a class.",
    language_model=CAUSAL,
)
