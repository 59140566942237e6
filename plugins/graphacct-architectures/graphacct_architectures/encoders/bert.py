"""BERT: an encoder of 12 or 24 layers, norms after each part, learned positions and token types.

Devlin et al., 2018 (arXiv:1810.04805).
"""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct import Builder, ConfigError, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.encoders.parts.description import Encoder, Head, Names
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder, of_tasks
from graphacct_architectures.encoders.parts.heads import POOLED
from graphacct_architectures.layers import linear

MODEL, MASKED, CAUSAL, PRETRAINING = "BertModel", "BertForMaskedLM", "BertLMHeadModel", "BertForPreTraining"
NEXT, SEQUENCE, TOKENS = "BertForNextSentencePrediction", "BertForSequenceClassification", "BertForTokenClassification"
SPANS, CHOICE = "BertForQuestionAnswering", "BertForMultipleChoice"
CLASSES = (MODEL, MASKED, CAUSAL, PRETRAINING, NEXT, SEQUENCE, TOKENS, SPANS, CHOICE)
COLBERT, COLBERT_WIDTH = "HF_ColBERT", 128
"""ColBERT's class (stanford-futuredata/ColBERT), and the width of its projection, which no file states."""


@frozen(kw_only=True)
class BertConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (*CLASSES, COLBERT), {"BertForCausalLM": CAUSAL})
    prefix: ClassVar[str] = "bert"
    norms_first: ClassVar[bool] = False


def like_bert(config: Any, module: str, **rest: Any) -> Encoder:
    """Returns an encoder of BERT's layers; `rest` holds the differences."""
    common: dict[str, Any] = {
        "positions": config.max_position_embeddings,
        "usable": config.max_position_embeddings,
        "counted": False,
        "token_types": config.type_vocab_size,
        "embedding_width": config.hidden_size,
        "causal": config.is_decoder,
        "crossed": crosses(config),
        "names": Names(),
    }
    return Encoder(
        config.vocab_size,
        config.hidden_size,
        config.intermediate_size,
        config.num_attention_heads,
        config.num_hidden_layers,
        ACTIVATIONS[config.hidden_act],
        module=module,
        dropout=config.hidden_dropout_prob,
        attention_dropout=config.attention_probs_dropout_prob,
        **{**common, **rest},
    )


def crosses(config: Any) -> bool:
    """Returns whether the layers have cross-attention. Raises ConfigError if they do and the model is no decoder."""
    if config.add_cross_attention and not config.is_decoder:
        raise ConfigError(
            "add_cross_attention is True and is_decoder is not: only a decoder has it; add --set is_decoder=true"
        )
    return bool(config.add_cross_attention)


def describe(config: BertConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's heads."""
    return of_class(config, config.architectures)


def of_class(config: BertConfig, name: str) -> Encoder:
    """Returns the encoder that BERT's class `name` has."""
    rest: dict[str, Any] = {}
    if config.norms_first:
        names = Names(attention_norm="attention.ln", norm="ln")
        rest = {"names": names, "norm_first": True, "last_norm": "encoder.ln", "embedding_norm": ""}
    if name == MODEL:
        return like_bert(config, "", pooled=True, **rest)
    words = Head(
        "cls.predictions.transform.dense",
        config.hidden_size,
        ACTIVATIONS[config.hidden_act],
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.decoder",
        config.vocab_size,
        tied=config.tie_word_embeddings,
        bias="cls.predictions.bias",
    )
    follows = Classifier("cls.seq_relationship", 2, POOLED)
    classifiers = {PRETRAINING: follows, NEXT: follows, **of_tasks(config, "Bert")}
    classifier = classifiers.get(name)
    pooled = name == COLBERT or (classifier is not None and classifier.reads == POOLED)
    head = words if name in (MASKED, CAUSAL, PRETRAINING) else None
    return like_bert(config, config.prefix, pooled=pooled, head=head, classifier=classifier, **rest)


def finished(config: BertConfig, workload: Workload, b: Builder, x: Value, pooled: Value | None) -> tuple[Value, ...]:
    """Returns each token's projection, of ColBERT's class."""
    if config.architectures != COLBERT:
        return ()
    return (linear(b, "linear", x, COLBERT_WIDTH, bias=False),)


ARCHITECTURE = encoder(
    "bert",
    BertConfig,
    describe,
    PresetFiles(__file__),
    doc="BERT: an encoder with its pooler or the head of a class.",
    language_model=CAUSAL,
    finished=finished,
)
