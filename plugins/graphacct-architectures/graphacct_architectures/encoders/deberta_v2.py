"""DeBERTa-v2 and v3: BERT's layers with disentangled attention, whose distances have logarithmic buckets.

He et al., 2020 (arXiv:2006.03654) and 2021 (arXiv:2111.09543).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, differ, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Convolution, Disentangled, Encoder, Head
from graphacct_architectures.encoders.parts.disentangled import C2P, P2C, stream
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder, of_spans, of_tokens

MODEL, MASKED = "DebertaV2Model", "DebertaV2ForMaskedLM"
SEQUENCE, TOKENS = "DebertaV2ForSequenceClassification", "DebertaV2ForTokenClassification"
SPANS, CHOICE = "DebertaV2ForQuestionAnswering", "DebertaV2ForMultipleChoice"


def kinds(default: tuple[str, ...] | None = None) -> Any:
    """Returns the kinds of scores besides those of contents: a list, or words with `|` between them."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[str, ...]:
        words = [word.strip() for word in value.lower().split("|")] if isinstance(value, str) else value
        if words is None or words == [""]:
            return ()
        if not isinstance(words, (list, tuple)) or any(word not in (C2P, P2C) for word in words):
            raise ConfigError(f"{field.name} cannot be {brief(value)}: the kinds are {C2P} and {P2C}")
        return tuple(words)

    return fields.checked_field(check, default)


def whole(default: int) -> Any:
    """Returns a number of which one below 1 means that there is none."""

    def check(value: Any, field: attrs.Attribute[Any]) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(f"{field.name} is a whole number, not {brief(value)}")
        return value

    return fields.checked_field(check, default)


def word(default: str) -> Any:
    """Returns a key that is a text."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        if not isinstance(value, str):
            raise ConfigError(f"{field.name} is a text, not {brief(value)}")
        return value

    return fields.checked_field(check, default)


@frozen(kw_only=True)
class DebertaConfig(EncoderConfig):
    """The keys of both versions' published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(50265)
    type_vocab_size: Dim = fields.size(0, minimum=0)
    embedding_size: Dim | None = fields.optional_size()
    relative_attention: bool = fields.flag(False)
    max_relative_positions: int = whole(-1)
    position_biased_input: bool = fields.flag(True)
    pos_att_type: tuple[str, ...] = kinds()
    pooler_hidden_size: Dim | None = fields.optional_size()
    pooler_dropout: float = fields.probability(0.0)
    pooler_hidden_act: str = activation("gelu")
    cls_dropout: float | None = fields.optional_probability()
    legacy: bool = fields.flag(True)

    @property
    def last_dropout(self) -> float:
        """The dropout before the classifier of tokens."""
        return self.hidden_dropout_prob

    @property
    def farthest(self) -> Dim:
        """The most distances in one direction."""
        return self.max_position_embeddings if self.max_relative_positions < 1 else self.max_relative_positions


@frozen(kw_only=True)
class DebertaV2Config(DebertaConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, MASKED, SEQUENCE, TOKENS, SPANS, CHOICE))
    vocab_size: Dim = fields.size(128100)
    hidden_size: Dim = fields.size(1536)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(24)
    intermediate_size: Dim = fields.size(6144)
    attention_head_size: Dim | None = fields.optional_size()
    position_buckets: int = whole(-1)
    share_att_key: bool = fields.flag(False)
    norm_rel_ebd: str = word("none")
    conv_kernel_size: int = whole(0)
    conv_groups: Dim = fields.size(1)
    conv_act: str = activation("tanh")


def describe(config: DebertaV2Config) -> Encoder:
    """Returns the encoder alone, or with its class's head."""
    d_head = heads_width(config)
    if config.attention_head_size is not None and differ(config.attention_head_size, d_head):
        raise ConfigError(
            f"attention_head_size {config.attention_head_size} is not hidden_size / num_attention_heads {d_head}: the "
            "published model cannot run with it"
        )
    shared = config.share_att_key
    normed = "layer_norm" in [word.strip() for word in config.norm_rel_ebd.lower().split("|")]
    attention = Disentangled(
        d_head,
        config.pos_att_type,
        config.position_buckets if config.position_buckets > 0 else config.farthest,
        shared=shared,
        key="key_proj" if shared else "pos_key_proj",
        query="query_proj" if shared else "pos_query_proj",
        table="rel_embeddings" if config.relative_attention else "",
        table_norm="LayerNorm" if normed else "",
    )
    convolution = None
    if config.conv_kernel_size > 0:
        convolution = Convolution(config.conv_kernel_size, config.conv_groups, ACTIVATIONS[config.conv_act])
    return like_deberta(config, attention, "DebertaV2", convolution=convolution)


def heads_width(config: DebertaConfig) -> Dim:
    """Returns the width of a head."""
    return exact_div(config.hidden_size, config.num_attention_heads, "hidden_size / num_attention_heads")


def like_deberta(config: Any, attention: Disentangled, family: str, **rest: Any) -> Encoder:
    """Returns an encoder with disentangled attention, alone or with its class's head."""
    ending = config.architectures.removeprefix(family)
    width = config.hidden_size if config.embedding_size is None else config.embedding_size
    pooled = config.hidden_size if config.pooler_hidden_size is None else config.pooler_hidden_size
    last = config.hidden_dropout_prob if config.cls_dropout is None else config.cls_dropout

    def of_text(count: Dim) -> Classifier:
        act = ACTIVATIONS[config.pooler_hidden_act]
        early = config.pooler_dropout
        return Classifier("classifier", count, "first", "pooler.dense", pooled, act, early_dropout=early, dropout=last)

    classifiers = {
        "ForSequenceClassification": of_text(config.num_labels),
        "ForMultipleChoice": of_text(1),
        "ForTokenClassification": of_tokens(config),
        "ForQuestionAnswering": of_spans(config),
    }
    if config.legacy:
        prefix, act = "cls.predictions", ACTIVATIONS[config.hidden_act]
        head = Head(
            f"{prefix}.transform.dense",
            width,
            act,
            f"{prefix}.transform.LayerNorm",
            f"{prefix}.decoder",
            config.vocab_size,
            tied=config.tie_word_embeddings,
            bias=f"{prefix}.bias",
        )
    else:
        prefix, act = "lm_predictions.lm_head", ACTIVATIONS[config.hidden_act]
        head = Head(
            f"{prefix}.dense",
            config.hidden_size,
            act,
            f"{prefix}.LayerNorm",
            prefix,
            config.vocab_size,
            bias="bias",
            of_words=True,
        )
    return like_bert(
        config,
        "" if ending == "Model" else "deberta",
        positions=config.max_position_embeddings if config.position_biased_input else 0,
        causal=False,
        written_out=True,
        embedding_width=width,
        disentangled=attention,
        head=head if ending == "ForMaskedLM" else None,
        classifier=classifiers.get(ending),
        **rest,
    )


ARCHITECTURE = encoder(
    "deberta-v2",
    DebertaV2Config,
    describe,
    PresetFiles(__file__),
    doc="DeBERTa-v2 and v3: BERT's layers with scores of distances, alone or with the head of a class.",
    streamed=stream,
)
