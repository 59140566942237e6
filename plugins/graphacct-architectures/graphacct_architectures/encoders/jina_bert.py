"""Jina BERT: BERT's layers with biases by distance (ALiBi) in place of positions, and gated networks.

Günther et al., 2023 (Jina Embeddings 2, arXiv:2310.19923). The class stands in its own repository
(jinaai/jina-bert-implementation), whose files call their `model_type` bert; names of modules are those of the published
checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import attrs

from graphacct import Builder, DeclinedError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.encoders.bert import CAUSAL, CLASSES, BertConfig, of_class
from graphacct_architectures.encoders.parts.description import Encoder, Names
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import encoder
from graphacct_architectures.encoders.parts.layer import projected
from graphacct_architectures.layers import activation, dropped, embedding, layer_norm, linear, merge_heads

BERTS = {f"Jina{name}": name for name in CLASSES if name != CAUSAL}
"""BERT's class for each of Jina BERT's."""
GATES = {"geglu": "gelu", "reglu": "relu"}
"""The operator of each gated network."""
NAMES = Names(down="mlp.wo", norm="mlp.layernorm")
ALIBI = "alibi"
NORMALIZED = "qk-post-norm"


@frozen(kw_only=True)
class JinaBertConfig(BertConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("JinaBertModel", tuple(BERTS))
    vocab_size: Dim = fields.size(30528)
    max_position_embeddings: Dim = fields.size(8192)
    position_embedding_type: str = fields.choice(ALIBI, (ALIBI, "absolute"))
    feed_forward_type: str = fields.choice("geglu", ("original", *GATES))
    prefix: ClassVar[str] = "bert"


def describe(config: JinaBertConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's heads."""
    found = of_class(config, BERTS[config.architectures])
    names = NAMES if config.feed_forward_type in GATES else found.names
    return attrs.evolve(found, names=names, causal=False, crossed=False)


def stream(config: JinaBertConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output."""
    batch, seq = workload.batch, workload.seq_len
    tables: tuple[Value, ...] = ()
    if config.position_embedding_type == ALIBI:
        ids = b.input("input_ids", (batch, seq), "int64")
        with b.scope("embeddings"):
            x = embedding(b, "word_embeddings", ids, e.vocab_size, e.width)
            kinds = b.apply("full", name="token_type_ids", shape=(batch, seq), dtype="int64")
            rows = embedding(b, "token_type_embeddings", kinds, e.token_types, e.width)
            x = layer_norm(b, "LayerNorm", b.apply("add", x, rows, name="with_token_types"))
            x = dropped(b, "dropout", x, e.dropout, workload)
        with b.scope("encoder"):
            tables = (b.apply("constant", name="alibi", shape=(1, e.heads, seq, seq), dtype=b.dtype),)
    else:
        x = embedded(e, workload, b)
    b.hold(x)
    network = partial(gated, config) if config.feed_forward_type in GATES else None
    return through(e, workload, b, x, *tables, attend=attend, network=network)


def attend(
    e: Encoder, workload: Workload, b: Builder, x: Value, biases: Value | None = None
) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side, and with eager attention the weights."""
    q, k, v = projected(e, b, x)
    with b.scope(e.names.attention):
        b.hold(q, k, v)
        drop = e.attention_dropout if workload.phase == "train" else 0
        if workload.attention == "fused":
            given = () if biases is None else (biases,)
            options = {"dropout_p": drop} if drop else {}
            return merge_heads(b, b.apply("scaled_dot_product_attention", q, k, v, *given, name="sdpa", **options)), ()
        scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
        scores = b.apply("scale", scores, name="scale")
        if biases is not None:
            scores = b.apply("add", scores, biases, name="biases")
        weights = dropped(b, "dropout", b.apply("softmax", scores, name="softmax"), drop, workload)
        return merge_heads(b, b.apply("matmul", weights, v, name="values")), (weights,)


def gated(config: JinaBertConfig, e: Encoder, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the output of a network with a gate: one projection makes the gate and what passes it."""
    both = linear(b, "mlp.gated_layers", x, 2 * e.inner, bias=False)
    gate, passing = b.apply("split", both, name="mlp.halves", parts=2)
    y = b.apply("mul", activation(b, GATES[config.feed_forward_type], gate, "mlp.act"), passing, name="mlp.gated")
    return linear(b, e.names.down, dropped(b, "mlp.dropout", y, e.dropout, workload), e.width)


def known(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the content of a file. Raises DeclinedError for one whose code is the variant that normalizes queries and
    keys, which has the same class name and other weights."""
    for key in ("auto_map", "_name_or_path"):
        if NORMALIZED in str(content.get(key)):
            raise DeclinedError(
                f"{key} names jina-bert-v2-{NORMALIZED}, whose queries and keys are normalized: that variant is not "
                "read"
            )
    return content


ARCHITECTURE = encoder(
    "jina_bert",
    JinaBertConfig,
    describe,
    PresetFiles(__file__),
    doc="Jina BERT (Jina Embeddings 2): biases by distance and gated networks, alone or with the head of a class.",
    configured=stream,
    no_cost=dict.fromkeys(("emb_pooler", "attn_implementation", "model_max_length")),
)
ARCHITECTURE = attrs.evolve(ARCHITECTURE, prepare=known)
