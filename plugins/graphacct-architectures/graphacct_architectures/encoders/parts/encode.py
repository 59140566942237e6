"""Encoders of texts from one description: norms after each part, learned positions."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct import Builder, ConfigError, Value, Workload, equal, exact_div
from graphacct_architectures.classifier import classified, token
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.layers import activation, dropped, embedding, layer_norm, linear, merge_heads, split_heads

POOLED = "pooled"
"""The value of `reads` for the pooler's output."""


def encode(e: Encoder, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from token ids to the last layer's output and the pooled one, or to the heads' outputs."""
    with b.scope(e.module):
        x = stream(e, workload, b)
        pooled = pooler(e, b, x) if e.pooled else None
    outputs: tuple[Value, ...] = () if e.head is None else (predicted(e, e.head, b, x),)
    if e.classifier is not None:
        read = pooled if e.classifier.reads == POOLED else token(b, x, e.classifier.reads)
        assert read is not None  # a family whose classifier reads it has a pooler
        outputs += classified(e.classifier, workload, b, read)
    if outputs:
        return outputs
    return x if pooled is None else (x, pooled)


def pooler(e: Encoder, b: Builder, x: Value) -> Value:
    """Returns the first token's output, projected."""
    with b.scope("pooler"):
        first = b.apply("select", x, name="first", dim=1)
        return b.apply("tanh", linear(b, "dense", first, e.width), name="activation")


def stream(e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output."""
    x = embedded(e, workload, b)
    b.hold(x)
    if not equal(e.embedding_width, e.width):
        x = linear(b, "embeddings_project", x, e.width)
    masks: tuple[Value, ...] = ()
    if e.causal and workload.attention == "eager":
        masks = (b.apply("causal_mask", name="causal_mask", batch=workload.batch, seq=workload.seq_len, dtype=b.dtype),)
    b.hold(*masks)
    return b.repeat(e.names.stack, e.count, partial(layer, e, workload), x, constants=masks)


def embedded(e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns tokens, their types and their positions, added and normalized, with dropout."""
    batch, seq = workload.batch, workload.seq_len
    if type(seq) is int and type(e.usable) is int and seq > e.usable:
        raise ConfigError(f"seq_len {seq} is beyond the {e.usable} positions that the model has learned")
    ids = b.input("input_ids", (batch, seq), "int64")
    with b.scope("embeddings"):
        if e.counted:
            places = b.apply("arange", name="position_ids", batch=batch, n=seq)
        else:
            table = b.apply("constant", name="position_table", shape=(1, e.positions), dtype="int64")
            places = b.apply("slice", table, name="position_ids", dim=1, start=0, length=seq)
        types = None
        if not equal(e.token_types, 0):
            types = b.apply("constant", name="token_type_table", shape=(1, e.positions), dtype="int64")
            rows = places.spec.shape[0]
            types = b.apply("expand", types, name="token_type_rows", shape=(rows, e.positions))
            types = b.apply("gather", types, places, name="token_types", dim=1)
            types = b.apply("expand", types, name="token_type_ids", shape=(batch, seq))
        b.hold(places)
        shared = f"{e.head.decoder}.weight" if e.head is not None and e.head.tied and e.head_owns else ""
        words = b.parameter("word_embeddings.weight", (e.vocab_size, e.embedding_width), tied_to=shared)
        x = b.apply("embedding", ids, words, name="word_embeddings")
        b.hold(x)
        if types is not None:
            kind = embedding(b, "token_type_embeddings", types, e.token_types, e.embedding_width)
            b.hold(types, kind)
            x = b.apply("add", x, kind, name="with_token_types")
        place = embedding(b, "position_embeddings", places, e.positions, e.embedding_width)
        b.hold(place)
        x = b.apply("add", x, place, name="with_positions")
        return dropped(b, "dropout", layer_norm(b, "LayerNorm", x), e.dropout, workload)


def layer(e: Encoder, workload: Workload, b: Builder, x: Value, *masks: Value) -> Value:
    """Applies attention, then the feed-forward network; each output is added to its input and normalized."""
    n = e.names
    b.hold(x)
    y, weights = attention(e, workload, b, x, *masks)
    b.hold(*weights)
    y = linear(b, n.out, y, e.width)
    y = dropped(b, f"{n.out}_dropout", y, e.dropout if e.output_dropped else 0.0, workload)
    x = layer_norm(b, n.attention_norm, b.apply("add", y, x, name="attention_residual"))
    b.hold(x)
    y = activation(b, e.activation, linear(b, n.up, x, e.inner), n.act)
    b.hold(y)
    y = dropped(b, f"{n.down}_dropout", linear(b, n.down, y, e.width), e.dropout, workload)
    return layer_norm(b, n.norm, b.apply("add", y, x, name="output_residual"))


def attention(
    e: Encoder, workload: Workload, b: Builder, x: Value, mask: Value | None = None
) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side, and with eager attention the weights."""
    written: tuple[Value, ...] = ()
    n, d_head = e.names, exact_div(e.width, e.heads, "hidden_size / num_attention_heads")
    parts = [linear(b, name, x, e.width) for name in (n.query, n.key, n.value)]
    with b.scope(n.attention):
        q, k, v = (split_heads(b, part, e.heads, d_head, label) for part, label in zip(parts, "qkv", strict=True))
        b.hold(q, k, v)
        drop = e.attention_dropout if workload.phase == "train" else 0
        if workload.attention == "fused":
            options: dict[str, Any] = {"dropout_p": drop} if drop else {}
            if e.causal:
                options["causal"] = True
            y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa", **options)
        else:
            scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
            scores = b.apply("scale", scores, name="scale")
            if mask is not None:
                scores = b.apply("add", scores, mask, name="mask")
            weights = b.apply("softmax", scores, name="softmax")
            weights = dropped(b, "dropout", weights, drop, workload)
            written = (weights,)
            y = b.apply("matmul", weights, v, name="values")
        return merge_heads(b, y), written


def predicted(e: Encoder, head: Head, b: Builder, x: Value) -> Value:
    """Returns the prediction for every token."""
    b.hold(x)
    y = activation(b, head.activation, linear(b, head.dense, x, head.width), f"{head.dense}_act")
    if head.norm:
        y = layer_norm(b, head.norm, y)
    tied = f"{e.module}.embeddings.word_embeddings.weight" if head.tied and not e.head_owns else ""
    weight = b.parameter(f"{head.decoder}.weight", (head.outputs, y.spec.shape[-1]), tied_to=tied)
    if head.bias:  # stored under its own name and the projection's
        b.apply("reshape", b.parameter(head.bias, (head.outputs,)), name="stored_bias", shape=(head.outputs,))
    bias = b.parameter(f"{head.decoder}.bias", (head.outputs,), tied_to=head.bias if head.tied else "")
    y = b.apply("linear", y, weight, bias, name=head.decoder)
    return b.apply("select", y, name="logits", dim=-1) if equal(head.outputs, 1) else y
