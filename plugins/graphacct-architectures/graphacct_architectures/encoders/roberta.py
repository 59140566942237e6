"""RoBERTa: BERT's layers with one token type, and positions that start after the padding index.

Liu et al., 2019 (arXiv:1907.11692).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from graphacct import DeclinedError, Dim, PresetFiles, fields, frozen
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head, Names
from graphacct_architectures.encoders.parts.family import (
    EncoderConfig,
    encoder,
    of_first,
    of_pooled,
    of_spans,
    of_tokens,
)

MODEL, MASKED, CAUSAL = "RobertaModel", "RobertaForMaskedLM", "RobertaForCausalLM"
SEQUENCE, TOKENS = "RobertaForSequenceClassification", "RobertaForTokenClassification"
SPANS, CHOICE = "RobertaForQuestionAnswering", "RobertaForMultipleChoice"
FIRST = Names(attention_norm="attention.self_attn_layer_norm", norm="LayerNorm")
"""The names of layers whose norms come first."""
CLASSES = (MODEL, MASKED, CAUSAL, SEQUENCE, TOKENS, SPANS, CHOICE)


@frozen(kw_only=True)
class RobertaConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on; positions begin after `pad_token_id`."""

    architectures: str = fields.model_class(MODEL, CLASSES)
    vocab_size: Dim = fields.size(50265)
    pad_token_id: Dim = fields.size(1, minimum=0)
    head_owns: ClassVar[bool] = False
    prefix: ClassVar[str] = "roberta"
    norms_first: ClassVar[bool] = False


def describe(config: RobertaConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's head."""
    return of_class(config, config.architectures)


def of_class(config: RobertaConfig, name: str) -> Encoder:
    """Returns the encoder that RoBERTa's class `name` has. The head of words always has GELU."""
    rest: dict[str, Any] = {"counted": True, "usable": config.max_position_embeddings - config.pad_token_id - 1}
    if config.norms_first:
        rest |= {"names": FIRST, "norm_first": True, "last_norm": "encoder.LayerNorm", "embedding_norm": ""}
        rest["network_dropped"] = False
    if name == MODEL:
        return like_bert(config, "", pooled=True, **rest)
    head = Head(
        "lm_head.dense",
        config.hidden_size,
        "gelu",
        "lm_head.layer_norm",
        "lm_head.decoder",
        config.vocab_size,
        tied=config.tie_word_embeddings,
        bias="lm_head.bias",
    )
    classifiers = {
        SEQUENCE: of_first(config, "tanh"),
        CHOICE: of_pooled(config, 1),
        TOKENS: of_tokens(config),
        SPANS: of_spans(config),
    }
    rest["head_owns"] = config.head_owns
    rest["head"] = head if name in (MASKED, CAUSAL) else None
    classifier = classifiers.get(name)
    return like_bert(config, config.prefix, pooled=name == CHOICE, classifier=classifier, **rest)


def learned(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the content of a file. Raises DeclinedError for one whose positions are rotary: Jina Embeddings v3, whose
    files call their `model_type` xlm-roberta."""
    if content.get("position_embedding_type") == "rotary":
        raise DeclinedError(
            "position_embedding_type is 'rotary', as of Jina Embeddings v3: set=model_type=jina_embeddings_v3 reads "
            "the file as that, without its adapters"
        )
    return content


ARCHITECTURE = encoder(
    "roberta",
    RobertaConfig,
    describe,
    PresetFiles(__file__),
    doc="RoBERTa: BERT's layers, positions behind the padding's.",
    language_model=CAUSAL,
)
ARCHITECTURE = attrs.evolve(ARCHITECTURE, prepare=learned)
