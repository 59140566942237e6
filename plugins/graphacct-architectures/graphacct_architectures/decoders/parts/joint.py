"""How a joint projection of queries, keys and values is taken apart, where its parts do not lie side by side."""

from __future__ import annotations

from graphacct import Builder, Value, Workload, equal, exact_div
from graphacct_architectures.decoders.parts.description.attention import Attention

SIDE_BY_SIDE, BY_HEAD, SHARDS, GROUPS, LAST_TWO = "side by side", "by head", "shards", "groups", "last two"
UNEVEN = (BY_HEAD, SHARDS, GROUPS, LAST_TWO)
"""Orders in which the parts do not lie side by side: `by head`, each head's queries, keys and values together, all of
them views; and orders in which the library copies: `shards`, each with its part of queries, values and keys; `groups`
of query heads, each with its head of keys and of values at its end; heads of which the `last two` are keys and
values."""
SHARD_COUNT = 4
"""The number of CodeGen's shards: the accelerators that the published weights were trained on."""


def heads_of(a: Attention, workload: Workload, b: Builder, flat: Value) -> tuple[Value, Value, Value]:
    """Returns queries, keys and values, (batch, heads, seq, d_head), from the projection (batch, seq, width)."""
    if a.joint_order == BY_HEAD:
        return by_head(a, b, flat)
    parts = by_shard(a, b, flat) if a.joint_order == SHARDS else by_group(a, workload, b, flat)
    q, k, v = (
        b.apply("transpose", part, name=f"{label}_transposed", dims=(1, 2))
        for part, label in zip(parts, "qkv", strict=True)
    )
    return q, k, v


def by_head(a: Attention, b: Builder, flat: Value) -> tuple[Value, Value, Value]:
    """Returns queries, keys and values, (batch, heads, seq, d_head), of heads that have all three together: views."""
    batch, seq, _ = flat.spec.shape
    heads = b.apply("reshape", flat, name="qkv_heads", shape=(batch, seq, a.heads, 3 * a.d_head))
    q, k, v = b.apply("split", b.apply("transpose", heads, name="qkv_transposed", dims=(1, 2)), name="qkv", parts=3)
    return q, k, v


def by_shard(a: Attention, b: Builder, flat: Value) -> tuple[Value, ...]:
    """Returns queries, keys and values, (batch, seq, heads, d_head): copies if a shard has several heads."""
    batch, seq, _ = flat.spec.shape
    width = exact_div(a.heads * a.d_head, SHARD_COUNT)
    shards = b.apply("reshape", flat, name="shards", shape=(batch, seq, SHARD_COUNT, 3 * width))
    q, v, k = b.apply("split", shards, name="qvk", parts=3)
    return tuple(
        b.apply("reshape", part, name=f"{label}_heads", shape=(batch, seq, a.heads, a.d_head))
        for part, label in ((q, "q"), (k, "k"), (v, "v"))
    )


def by_group(a: Attention, workload: Workload, b: Builder, flat: Value) -> tuple[Value, ...]:
    """Returns queries, keys and values, (batch, seq, heads, d_head). The library takes keys and values by a list of one
    index: a copy, whose backward pass needs the index.

    Groups' keys and values are copied for each query head. With a cache each is kept once, unlike in the library.
    """
    batch, seq, _ = flat.spec.shape
    groups = a.kv_heads if a.joint_order == GROUPS else 1
    each = exact_div(a.heads, groups)
    qkv = b.apply("reshape", flat, name="qkv_heads", shape=(batch, seq, groups, each + 2, a.d_head))
    parts = [b.apply("slice", qkv, name="q_of_groups", dim=3, start=0, length=each)]
    for label in "kv":
        index = b.apply("full", name=f"{label}_index", shape=(1,), dtype="int64")
        parts.append(b.apply("index_select", qkv, index, name=f"{label}_of_groups", dim=3))
    counts = [a.heads, groups, groups]
    if a.joint_order == GROUPS and workload.phase not in ("prefill", "decode"):
        shape = (batch, seq, groups, each, a.d_head)
        parts[1:] = [
            b.apply("expand", part, name=f"{label}_expanded", shape=shape) if not equal(each, 1) else part
            for part, label in zip(parts[1:], "kv", strict=True)
        ]
        counts = [a.heads] * 3
    return tuple(
        b.apply("reshape", part, name=f"{label}_heads", shape=(batch, seq, count, a.d_head))
        for part, label, count in zip(parts, "qkv", counts, strict=True)
    )
