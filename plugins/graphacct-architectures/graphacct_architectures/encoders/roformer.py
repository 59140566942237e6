"""RoFormer: BERT with rotary positions, whose table is made with the model, and narrow embeddings in some models.

Su et al., 2021 (arXiv:2104.09864).
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import attrs

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
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder, of_first, of_spans, of_tokens
from graphacct_architectures.encoders.parts.layer import apart, core, projected
from graphacct_architectures.layers import dropped, embedding, layer_norm, linear

MODEL, MASKED, CAUSAL = "RoFormerModel", "RoFormerForMaskedLM", "RoFormerForCausalLM"
SEQUENCE, TOKENS = "RoFormerForSequenceClassification", "RoFormerForTokenClassification"
SPANS, CHOICE = "RoFormerForQuestionAnswering", "RoFormerForMultipleChoice"


@frozen(kw_only=True)
class RoFormerConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, MASKED, CAUSAL, SEQUENCE, TOKENS, SPANS, CHOICE))
    vocab_size: Dim = fields.size(50000)
    embedding_size: Dim | None = fields.optional_size()
    max_position_embeddings: Dim = fields.size(1536)
    rotary_value: bool = fields.flag(False)
    prefix: ClassVar[str] = "roformer"

    @property
    def row_width(self) -> Dim:
        """The width of the embeddings: as stated, or the stream's."""
        return self.hidden_size if self.embedding_size is None else self.embedding_size

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.hidden_dropout_prob


def describe(config: RoFormerConfig) -> Encoder:
    """Returns the encoder alone, or with its class's head."""
    name = config.architectures
    act = ACTIVATIONS[config.hidden_act]
    words = Head(
        "cls.predictions.transform.dense",
        config.row_width,
        act,
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.decoder",
        config.vocab_size,
        tied=config.tie_word_embeddings,
        bias="cls.predictions.bias",
    )
    classifiers = {
        SEQUENCE: of_first(config, act),
        TOKENS: of_tokens(config),
        SPANS: attrs.evolve(of_spans(config), outputs=2),  # whatever num_labels says
        CHOICE: Classifier("classifier", 1, "last"),
    }
    return like_bert(
        config,
        "" if name == MODEL else config.prefix,
        embedding_width=config.row_width,
        head=words if name in (MASKED, CAUSAL) else None,
        classifier=classifiers.get(name),
        written_out=True,
    )


def stream(config: RoFormerConfig, e: Encoder, workload: Workload, b: Builder, states: Value | None = None) -> Value:
    """Returns the last layer's output. Raises ConfigError for a text that is longer than the table of positions."""
    length, seq = workload.positions, workload.seq_len
    if has_value(length) and has_value(e.usable) and length > e.usable:
        raise ConfigError(f"seq_len {length} is beyond the {e.usable} positions that the model has")
    ids = b.input("input_ids", (workload.batch, seq), "int64")
    with b.scope("embeddings"):
        x = embedding(b, "word_embeddings", ids, e.vocab_size, e.embedding_width)
        kinds = b.apply("full", name="token_type_ids", shape=(workload.batch, seq), dtype="int64")
        rows = embedding(b, "token_type_embeddings", kinds, e.token_types, e.embedding_width)
        x = layer_norm(b, "LayerNorm", b.apply("add", x, rows, name="with_token_types"))
        x = dropped(b, "dropout", x, e.dropout, workload)
    b.hold(x)
    if not equal(e.embedding_width, e.width):
        x = linear(b, e.projection, x, e.width)
    with b.scope("encoder"):
        places = b.apply("reshape", b.apply("arange", name="position_ids", n=seq), name="places", shape=(seq,))
        d_head = exact_div(e.width, e.heads, "hidden_size / num_attention_heads")
        stored = b.parameter("embed_positions.weight", (e.positions, d_head), frozen=True)
        table = b.apply("embedding", places, stored, name="embed_positions")
    return through(e, workload, b, x, table, states=states, attend=partial(attend, config))


def attend(
    config: RoFormerConfig, e: Encoder, workload: Workload, b: Builder, x: Value, *tables: Value
) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side, and the weights."""
    mask, (table,) = apart(e, workload, tables)
    q, k, v = projected(e, b, x)
    with b.scope(e.names.attention):
        sin, cos = b.apply("split", table, name="sin_and_cos", parts=2)
        sin, cos = (twice(b, part, name) for part, name in ((sin, "sin"), (cos, "cos")))
        turned = {"q": q, "k": k, "v": v}
        for label in "qkv" if config.rotary_value else "qk":
            turned[label] = rotated(b, turned[label], cos, sin, label)
        return core(e, workload, b, turned["q"], turned["k"], turned["v"], mask)


def rotated(b: Builder, x: Value, cos: Value, sin: Value, label: str) -> Value:
    """Returns x (batch, heads, seq, d_head) with each pair of neighbours rotated, written out as the class
    has it."""
    *lead, width = x.spec.shape
    pairs = b.apply("reshape", x, name=f"{label}_pairs", shape=(*lead, exact_div(width, 2, "head width / 2"), 2))
    even, odd = (
        b.apply("select", pairs, name=f"{label}_{word}", dim=-1, index=index) for index, word in enumerate(HALVES)
    )
    columns = [
        b.apply("reshape", part, name=f"{label}_{word}_column", shape=(*part.spec.shape, 1))
        for part, word in ((b.apply("neg", odd, name=f"{label}_odd_negative"), "odd"), (even, "even"))
    ]
    turned = b.apply("concat", *columns, name=f"{label}_stacked", dim=-1)
    turned = b.apply("reshape", turned, name=f"{label}_turned", shape=(*lead, width))
    straight = b.apply("mul", x, cos, name=f"{label}_cos")
    return b.apply("add", straight, b.apply("mul", turned, sin, name=f"{label}_sin"), name=f"{label}_rope")


HALVES = ("even", "odd")


def twice(b: Builder, table: Value, name: str) -> Value:
    """Returns a table (seq, pairs) with each angle twice, for both elements of its pair."""
    seq, pairs = table.spec.shape
    columns = b.apply("reshape", table, name=f"{name}_column", shape=(seq, pairs, 1))
    both = b.apply("concat", columns, columns, name=f"{name}_twice", dim=-1)
    return b.apply("reshape", both, name=f"{name}_pos", shape=(seq, 2 * pairs))


ARCHITECTURE = encoder(
    "roformer",
    RoFormerConfig,
    describe,
    PresetFiles(__file__),
    doc="RoFormer: BERT with rotary positions, alone or with the head of a class.",
    configured=stream,
    language_model=CAUSAL,
)
