"""MPNet: BERT's layers with biases by distance, positions that start after the padding's, and no token types.

Song et al., 2020 (arXiv:2004.09297). The biases' table is T5's, read once for all layers.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
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

MODEL, MASKED = "MPNetModel", "MPNetForMaskedLM"
SEQUENCE, TOKENS = "MPNetForSequenceClassification", "MPNetForTokenClassification"
SPANS, CHOICE = "MPNetForQuestionAnswering", "MPNetForMultipleChoice"
PADDING = 1
"""The padding's id, whatever the file says."""
NAMES = Names(
    attention="attention.attn",
    query="attention.attn.q",
    key="attention.attn.k",
    value="attention.attn.v",
    out="attention.attn.o",
    attention_norm="attention.LayerNorm",
)


@frozen(kw_only=True)
class MPNetConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, MASKED, SEQUENCE, TOKENS, SPANS, CHOICE))
    vocab_size: Dim = fields.size(30527)
    relative_attention_num_buckets: Dim = fields.size(32)

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.hidden_dropout_prob


def describe(config: MPNetConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's head. The head of words always has GELU."""
    name = config.architectures
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
    return like_bert(
        config,
        "" if name == MODEL else "mpnet",
        counted=True,
        usable=config.max_position_embeddings - PADDING - 1,
        token_types=0,
        causal=False,
        names=NAMES,
        written_out=True,
        buckets=config.relative_attention_num_buckets,
        pooled=name in (MODEL, CHOICE),
        head=head if name == MASKED else None,
        classifier=classifiers.get(name),
    )


ARCHITECTURE = encoder(
    "mpnet",
    MPNetConfig,
    describe,
    PresetFiles(__file__),
    doc="MPNet: BERT's layers with biases by distance, alone or with the head of a class.",
)
