"""DeBERTa's layers: scores of contents and of distances, from a table of distances that all layers project.

He et al., 2020 (arXiv:2006.03654). The library's classes write attention out, in all modes.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import attrs

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, floor_div, has_value, less
from graphacct_architectures.encoders.parts.description import Convolution, Disentangled, Encoder
from graphacct_architectures.encoders.parts.layer import layer
from graphacct_architectures.layers import activation, dropped, embedding, layer_norm, linear, resident

C2P, P2C = "c2p", "p2c"
NAMED = (("query", "q"), ("key", "k"), ("value", "v"))


def stream(e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output, of an encoder with disentangled attention."""
    assert e.disentangled is not None
    d, batch, seq = e.disentangled, workload.batch, workload.seq_len
    ones = b.apply("full", name="attention_mask", shape=(batch, seq), dtype="float32")
    x = embedded(e, workload, b, ones)
    with b.scope("encoder"):
        columns = b.apply("reshape", ones, name="mask_columns", shape=(batch, 1, 1, seq))
        rows = b.apply("reshape", ones, name="mask_rows", shape=(batch, 1, seq, 1))
        tables = [b.apply("mul", columns, rows, name="mask"), *of_all_layers(e, d, b, seq)]
    b.hold(ones, x, *tables)
    body = partial(layer, e, workload, attend=attend)
    if e.convolution is None:
        return b.repeat(e.names.stack, e.count, body, x, constants=tables)
    first = b.repeat(e.names.stack, 1, body, x, constants=tables)
    with b.scope("encoder.conv"):
        y = convolved(e, e.convolution, workload, b, x, first, ones)
    if equal(e.count, 1):
        return y
    return b.repeat(e.names.stack, e.count - 1, body, y, constants=tables, start=1)


def unembedded(e: Encoder, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x (batch, seq, width) after all layers, of a stream that no ids enter; the builder is in the scope around
    the encoder's."""
    assert e.disentangled is not None
    batch, seq, _ = x.spec.shape
    workload = attrs.evolve(workload, seq_len=seq)
    with b.scope("encoder"):
        ones = b.apply("full", name="attention_mask", shape=(batch, seq), dtype="int64")
        mask = b.apply("reshape", ones, name="mask", shape=(batch, 1, 1, seq))
        tables = [mask, *of_all_layers(e, e.disentangled, b, seq)]
    b.hold(x, *tables)
    body = partial(layer, e, workload, attend=attend)
    start = 0
    if x.spec.strides is not None:  # what a layer returns lies in the order of its shape
        with b.scope(f"{e.names.stack}.0"):
            x = body(b, x, *tables)
        start = 1
    if equal(e.count, start):
        return x
    return b.repeat(e.names.stack, e.count - start, body, x, constants=tables, start=start)


def of_all_layers(e: Encoder, d: Disentangled, b: Builder, seq: Dim) -> list[Value]:
    """Returns the distances and their table, which all layers read, if there are any; the builder is in the encoder's
    scope."""
    tables: list[Value] = []
    if d.table:
        tables.append(distances(b, seq))
        rows = b.parameter(f"{d.table}.weight", (2 * d.span, e.width))
        norm = d.table_norm
        if norm:
            width = (e.width,)
            gains = (b.parameter(f"{norm}.weight", width), b.parameter(f"{norm}.bias", width))
            tables.append(b.apply("layer_norm", rows, *gains, name=norm))
        else:
            tables.append(b.apply("reshape", rows, name=d.table, shape=(2 * d.span, e.width)))
    elif d.table_norm:
        width = (e.width,)
        gains = (b.parameter(f"{d.table_norm}.weight", width), b.parameter(f"{d.table_norm}.bias", width))
        resident(b, d.table_norm, *gains)
    return tables


def embedded(e: Encoder, workload: Workload, b: Builder, ones: Value) -> Value:
    """Returns tokens, with positions and types if the model has them, normalized and masked, with dropout."""
    batch, seq = workload.batch, workload.seq_len
    if has_value(seq) and has_value(e.usable) and seq > e.usable:
        raise ConfigError(f"seq_len {seq} is beyond the {e.usable} positions that the model has learned")
    ids = b.input("input_ids", (batch, seq), "int64")
    with b.scope("embeddings"):
        x = embedding(b, "word_embeddings", ids, e.vocab_size, e.embedding_width)
        table = b.apply("constant", name="position_table", shape=(1, e.usable), dtype="int64")
        places = b.apply("slice", table, name="position_ids", dim=1, start=0, length=seq)
        if not equal(e.positions, 0):
            y = embedding(b, "position_embeddings", places, e.positions, e.embedding_width)
            x = b.apply("add", x, y, name="with_positions")
        if not equal(e.token_types, 0):
            types = b.apply("full", name="token_type_ids", shape=(batch, seq), dtype="int64")
            y = embedding(b, "token_type_embeddings", types, e.token_types, e.embedding_width)
            x = b.apply("add", x, y, name="with_token_types")
        if not equal(e.embedding_width, e.width):
            x = linear(b, "embed_proj", x, e.width, bias=False)
        x = layer_norm(b, "LayerNorm", x)
        mask = b.apply("reshape", ones, name="mask", shape=(batch, seq, 1))
        if b.dtype != "float32":
            mask = b.apply("cast", mask, name="mask_as_computed", dtype=b.dtype)
        x = b.apply("mul", x, mask, name="masked")
        return dropped(b, "dropout", x, e.dropout, workload)


def distances(b: Builder, seq: Dim) -> Value:
    """Returns the distance of each query to each key, or its bucket, (seq, seq)."""
    return b.apply("relative_buckets", name="relative_pos", queries=seq, keys=seq)


def attend(e: Encoder, workload: Workload, b: Builder, x: Value, *tables: Value) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side. `tables` has the mask, the distances and their table."""
    d = e.disentangled
    assert d is not None
    mask = tables[0]
    batch, seq = x.spec.shape[:2]
    with b.scope(e.names.attention):
        if d.joint:
            q, k, v = in_one(e, d, b, x)
        else:
            q, k, v = (of_contents(e, d, b, x, name, label) for name, label in NAMED)
        b.hold(q, k, v)
        keys = b.apply("transpose", k, name="k_last", dims=(-2, -1))
        if d.joint:
            q = divided(b, q, "q_scaled")
        else:
            keys = divided(b, keys, "k_scaled")
        scores = b.apply("matmul", q, keys, name="scores")
        if d.table:
            for extra in of_distances(e, d, workload, b, q, k, tables[1], tables[2]):
                scores = b.apply("add", scores, extra, name=f"{extra.name.rpartition('.')[2]}_added")
        whole = (batch, e.heads, seq, seq)
        scores = scores if d.joint else b.apply("reshape", scores, name="scores_by_head", shape=whole)
        scores = mixed(e, b, scores, "head_logits_proj") if d.talking else scores
        unseen = b.apply("logical_not", b.apply("cast", mask, name="seen", dtype="bool"), name="unseen")
        weights = b.apply("softmax", b.apply("masked_fill", scores, unseen, name="masked"), name="softmax")
        weights = dropped(b, "dropout", weights, e.attention_dropout, workload)
        weights = mixed(e, b, weights, "head_weights_proj") if d.talking else weights
        if not d.joint:
            weights = b.apply("reshape", weights, name="weights_flat", shape=(batch * e.heads, seq, seq))
        y = b.apply("matmul", weights, v, name="values")
        y = y if d.joint else b.apply("reshape", y, name="values_by_head", shape=(batch, e.heads, seq, d.d_head))
        y = b.apply("transpose", y, name="merge_transposed", dims=(1, 2))
        y = b.apply("contiguous", y, name="merge_copied")
        return b.apply("reshape", y, name="merge_heads", shape=(batch, seq, e.heads * d.d_head)), ()


def divided(b: Builder, x: Value, name: str) -> Value:
    """Returns x divided by the root of a width, which the library's class makes as a tensor each time."""
    return b.apply("div", x, b.apply("full", name=f"{name}_by", shape=(), dtype=b.dtype), name=name)


def of_contents(e: Encoder, d: Disentangled, b: Builder, x: Value, name: str, label: str) -> Value:
    """Returns queries, keys or values (batch · heads, seq, d_head)."""
    again = d.shared and d.table and name != "value"
    with b.turn(0) if again else nullcontext():
        y = linear(b, f"{name}_proj", x, e.heads * d.d_head)
    return by_head(e, d, b, y, label)


def by_head(e: Encoder, d: Disentangled, b: Builder, x: Value, label: str) -> Value:
    """Returns x (batch, rows, heads · d_head) as (batch · heads, rows, d_head): a copy."""
    batch, rows = x.spec.shape[:2]
    x = b.apply("reshape", x, name=f"{label}_heads", shape=(batch, rows, e.heads, d.d_head))
    x = b.apply("transpose", x, name=f"{label}_transposed", dims=(1, 2))
    x = b.apply("contiguous", x, name=f"{label}_copied")
    return b.apply("reshape", x, name=f"{label}_flat", shape=(batch * e.heads, rows, d.d_head))


def in_one(e: Encoder, d: Disentangled, b: Builder, x: Value) -> tuple[Value, Value, Value]:
    """Returns queries, keys and values (batch, heads, seq, d_head) of one projection; queries and values have a bias
    of their own."""
    batch, seq = x.spec.shape[:2]
    inner = e.heads * d.d_head
    both = linear(b, d.joint, x, 3 * inner, bias=False)
    both = b.apply("reshape", both, name="qkv_heads", shape=(batch, seq, e.heads, 3 * d.d_head))
    both = b.apply("transpose", both, name="qkv_transposed", dims=(1, 2))
    q, k, v = b.apply("split", both, name="qkv", parts=3)

    def biased(part: Value, label: str) -> Value:
        row = b.apply(
            "reshape",
            b.parameter(f"{label}_bias", (inner,)),
            name=f"{label}_bias_heads",
            shape=(1, 1, e.heads, d.d_head),
        )
        row = b.apply("transpose", row, name=f"{label}_bias_transposed", dims=(1, 2))
        return b.apply("add", part, row, name=f"{label}_biased")

    return biased(q, "q"), k, biased(v, "v")


def of_distances(
    e: Encoder, d: Disentangled, workload: Workload, b: Builder, q: Value, k: Value, places: Value, rows: Value
) -> list[Value]:
    """Returns the scores of contents with distances, one for each kind, as large as those of contents."""
    seq = workload.seq_len
    assert seq is not None
    rows = dropped(b, "pos_dropout", rows, e.dropout, workload)
    count = 2 * d.span
    if d.near:
        near = d.span
        if less(seq, d.span, assumed=True):  # a text of unknown length is taken for a shorter one
            near = seq
            rows = b.apply("slice", rows, name="rows_near", dim=0, start=d.span - near, length=2 * near)
        count = 2 * near
    rows = b.apply("reshape", rows, name="rows", shape=(1, count, e.width))
    b.hold(rows)
    found = []
    for kind, own, name, bias in ((C2P, q, d.key, d.key_bias), (P2C, k, d.query, True)):
        if kind not in d.kinds and not d.shared:
            continue
        with b.turn(1) if d.shared else nullcontext():
            y = linear(b, name, rows, e.heads * d.d_head, bias=bias)
        if d.joint:
            y = b.apply("reshape", y, name=f"{kind}_heads", shape=(1, count, e.heads, d.d_head))
            y = b.apply("transpose", y, name=f"{kind}_transposed", dims=(1, 2))
            y = b.apply("scale", y, name=f"{kind}_rows_scaled") if kind == P2C else y
        else:
            y = by_head(e, d, b, y, kind)
            y = b.apply("repeat", y, name=f"{kind}_of_each_text", times=(workload.batch, 1, 1))
        if kind not in d.kinds:
            continue  # projected, and not read
        scores = b.apply("matmul", own, b.apply("transpose", y, name=f"{kind}_last", dims=(-2, -1)), name=f"{kind}_all")
        at = b.apply("clamp", b.apply("shift", places, name=f"{kind}_shifted"), name=f"{kind}_clamped")
        at = b.apply("expand", at, name=f"{kind}_index", shape=(*scores.spec.shape[:-1], seq))
        scores = b.apply("gather", scores, at, name=f"{kind}_read", dim=-1)
        if kind == P2C:
            scores = b.apply("transpose", scores, name=f"{kind}_back", dims=(-2, -1))
        found.append(scores if d.joint else divided(b, scores, f"{kind}_scaled"))
    if len(found) == 2:
        found = [b.apply("add", *found, name="distance_scores")]
    return found


def mixed(e: Encoder, b: Builder, scores: Value, name: str) -> Value:
    """Returns scores (batch, heads, seq, seq) of which each head has a mixture of all."""
    x = b.apply("permute", scores, name=f"{name}_heads_last", dims=(0, 2, 3, 1))
    return b.apply("permute", linear(b, name, x, e.heads, bias=False), name=f"{name}_back", dims=(0, 3, 1, 2))


def convolved(
    e: Encoder, c: Convolution, workload: Workload, b: Builder, x: Value, residual: Value, ones: Value
) -> Value:
    """Returns the first layer's output with a convolution of its input added, normalized and masked."""
    batch, seq, width = x.spec.shape
    y = b.apply("contiguous", b.apply("permute", x, name="channels", dims=(0, 2, 1)), name="channels_copied")
    weight = b.parameter("conv.weight", (width, floor_div(width, c.groups), c.kernel))
    y = b.apply(
        "convolution",
        y,
        weight,
        b.parameter("conv.bias", (width,)),
        name="conv",
        padding=(c.kernel - 1) // 2,
        groups=c.groups,
    )
    y = b.apply("contiguous", b.apply("permute", y, name="tokens", dims=(0, 2, 1)), name="tokens_copied")
    mask = b.apply("reshape", ones, name="mask", shape=(batch, seq, 1))
    unseen = b.apply("logical_not", b.apply("cast", mask, name="seen", dtype="bool"), name="unseen")
    y = b.apply("masked_fill", y, unseen, name="filled")
    y = activation(b, c.activation, dropped(b, "dropout", y, e.dropout, workload), "act")
    y = layer_norm(b, "LayerNorm", b.apply("add", residual, y, name="residual"))
    if b.dtype != "float32":
        mask = b.apply("cast", mask, name="mask_as_computed", dtype=b.dtype)
    return b.apply("mul", y, mask, name="masked")
