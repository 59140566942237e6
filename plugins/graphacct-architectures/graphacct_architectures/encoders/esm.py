"""ESM: BERT's layers for proteins, with norms first, rotary or learned positions, and a head of contacts.

Rives et al., 2021 (doi:10.1073/pnas.2016239118), and Lin et al., 2022 (ESM-2, doi:10.1101/2022.07.20.500902). The
head of contacts is in every class and runs in none: it reads the attention weights of all layers on demand.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen, has_value
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head, Names
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder, of_first, of_tokens
from graphacct_architectures.encoders.parts.layer import apart, core, head_width, projected
from graphacct_architectures.encoders.parts.rotation import angles, turned_wide
from graphacct_architectures.layers import embedding, layer_norm, resident

MODEL, MASKED, SEQUENCE, TOKENS = (
    "EsmModel",
    "EsmForMaskedLM",
    "EsmForSequenceClassification",
    "EsmForTokenClassification",
)
ROTARY, ABSOLUTE = "rotary", "absolute"
GELU = "gelu_python"
"""Written out in the class, whatever a file says."""
NAMES = Names(attention_norm="attention.LayerNorm", norm="LayerNorm")


@frozen(kw_only=True)
class EsmConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on; the vocabulary is
    that of ESM, which its class leaves out."""

    architectures: str = fields.model_class(MODEL, (MODEL, MASKED, SEQUENCE, TOKENS))
    vocab_size: Dim = fields.size(33)
    pad_token_id: Dim | None = fields.optional_size(None)
    max_position_embeddings: Dim = fields.size(1026)
    position_embedding_type: str = fields.choice(ABSOLUTE, (ABSOLUTE, ROTARY))
    emb_layer_norm_before: bool | None = fields.optional_flag()
    token_dropout: bool | None = fields.optional_flag()

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.hidden_dropout_prob


def describe(config: EsmConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's head."""
    name = config.architectures
    head = Head(
        "lm_head.dense",
        config.hidden_size,
        GELU,
        "lm_head.layer_norm",
        "lm_head.decoder",
        config.vocab_size,
        tied=config.tie_word_embeddings,
        bias="lm_head.bias",
        added=True,
    )
    longest: dict[str, Any] = {}
    if config.position_embedding_type == ABSOLUTE and config.pad_token_id is not None:
        longest["usable"] = config.max_position_embeddings - config.pad_token_id - 1
    classifiers = {SEQUENCE: of_first(config, "tanh"), TOKENS: of_tokens(config)}
    e = like_bert(
        config,
        "" if name == MODEL else "esm",
        names=NAMES,
        norm_first=True,
        last_norm="encoder.emb_layer_norm_after",
        pooled=name == MODEL,
        head=head if name == MASKED else None,
        classifier=classifiers.get(name),
        **longest,
    )
    return attrs.evolve(e, activation=GELU)


def stream(config: EsmConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output. Raises ConfigError for a text that is longer than the table of positions."""
    x = embedded(config, e, workload, b)
    tables: tuple[Value, ...] = ()
    if config.position_embedding_type == ROTARY:
        with b.scope("rotary_embeddings"):
            tables = angles(workload, b, head_width(e))
    x = through(e, workload, b, x, *tables, attend=attend)
    heads = (1, e.count * e.heads)
    name = "contact_head.regression"
    resident(b, name, b.parameter(f"{name}.weight", heads), b.parameter(f"{name}.bias", (1,)))
    return x


def embedded(config: EsmConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns tokens with their positions, if those are learned: those that are masked as if they were dropped, in some
    models, and normalized in some."""
    batch, seq = workload.batch, workload.seq_len
    absolute = config.position_embedding_type == ABSOLUTE
    if absolute and has_value(seq) and has_value(e.usable) and seq > e.usable:
        raise ConfigError(f"seq_len {seq} is beyond the {e.usable} positions that the model has learned")
    ids = b.input("input_ids", (batch, seq), "int64")
    with b.scope("embeddings"):
        places = b.apply("arange", name="position_ids", batch=batch, n=seq)
        x = embedding(b, "word_embeddings", ids, e.vocab_size, e.width)
        if config.token_dropout:
            x = without_masked(b, ids, x)
        if absolute:
            rows = embedding(b, "position_embeddings", places, e.positions, e.width)
            b.hold(places, rows)
            x = b.apply("add", x, rows, name="with_positions")
        return layer_norm(b, "layer_norm", x) if config.emb_layer_norm_before else x


def without_masked(b: Builder, ids: Value, x: Value) -> Value:
    """Returns x with zeros for masked tokens, and the others scaled by the share of those that are not."""
    batch, seq = ids.spec.shape
    masked = b.apply("eq", ids, b.apply("full", name="mask_token", shape=(), dtype="int64"), name="is_mask")
    rows = b.apply("reshape", masked, name="mask_rows", shape=(batch, seq, 1))
    x = b.apply("masked_fill", x, rows, name="without_masked")
    count = b.apply("sum", b.apply("cast", masked, name="mask_counted", dtype="int64"), name="masks", dim=-1)
    share = b.apply("scale", b.apply("cast", count, name="masks_wide", dtype="float32"), name="mask_ratio")
    share = b.apply("shift", b.apply("neg", share, name="mask_ratio_negative"), name="unmasked")
    share = b.apply("reshape", share, name="unmasked_rows", shape=(batch, 1, 1))
    x = b.apply("div", b.apply("scale", x, name="trained_ratio"), share, name="rescaled")
    return x if x.spec.dtype == b.dtype else b.apply("cast", x, name="rescaled_narrowed", dtype=b.dtype)


def attend(e: Encoder, workload: Workload, b: Builder, x: Value, *tables: Value) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side, and with eager attention the weights. Queries are scaled before
    they are turned."""
    mask, turns = apart(e, workload, tables)
    q, k, v = projected(e, b, x)
    with b.scope(e.names.attention):
        q = b.apply("scale", q, name="q_scaled")
        if turns:
            cos, sin = turns
            q, k = turned_wide(b, q, cos, sin, "q"), turned_wide(b, k, cos, sin, "k")
        return core(e, workload, b, q, k, v, mask, scaled=False)


ARCHITECTURE = encoder(
    "esm",
    EsmConfig,
    describe,
    PresetFiles(__file__),
    doc="ESM and ESM-2: BERT's layers for proteins, norms first, rotary or learned positions.",
    configured=stream,
    no_cost={
        **dict.fromkeys(("mask_token_id", "rope_theta", "esmfold_config", "vocab_list")),
        "is_folding_model": (False,),
    },
)
