"""Sparse attention to blocks of keys: small heads score every key, a block is as good as its best key, and each query
sees the blocks with the best scores and those just before it (MiniMax, "MiniMax-M3", 2026).

As in the transformers library, nothing is saved: the scores of all keys are computed, the chosen blocks become a mask
of all heads, and attention computes every score and value under it. No gradient runs through the choice.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from graphacct import Builder, Dim, Parameter, Value, Workload, ceil_div, equal, exact_div, minimum
from graphacct_architectures.decoders.parts.description.attention import Attention, BlockIndexer
from graphacct_architectures.decoders.parts.indexer import known, ungraded, wide
from graphacct_architectures.decoders.parts.names import mask_name
from graphacct_architectures.decoders.parts.rotary import rotated
from graphacct_architectures.layers import as_computed, with_cache


def with_blocks(
    a: Attention, kind: BlockIndexer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> Mapping[str, Value]:
    """Returns the tables with a mask (batch, heads, seq, keys) that also hides the blocks that were not chosen, for
    each group of heads that share keys."""
    batch, seq = x.spec.shape[:2]
    keys = workload.positions
    with b.scope(kind.module):
        ids, count = chosen(a, kind, workload, b, x, tables)
    shape = (batch, kind.heads, seq, count + 1)
    bias = b.apply(
        "scatter", b.apply("full", name="all_hidden", shape=shape, dtype=b.dtype), ids, name="chosen", dim=-1
    )
    bias = b.apply("slice", bias, name="of_blocks", dim=-1, start=0, length=count)
    seen = b.apply("eq", bias, name="block_seen")
    seen = b.apply("repeat", seen, name="seen_by_key", times=(1, 1, 1, kind.size))
    if not equal(count * kind.size, keys):
        seen = b.apply("slice", seen, name="seen", dim=-1, start=0, length=keys)
    times = exact_div(a.heads, kind.heads, "num_attention_heads / index_n_heads")
    seen = b.apply("repeat", seen, name="seen_by_head", times=(1, times, 1, 1))
    name = mask_name(a, workload)
    mask = tables.get(name)
    if mask is None:
        mask = b.apply("full", name="causal", shape=(batch, 1, seq, keys), dtype="bool")
    elif mask.spec.dtype != "bool":
        mask = b.apply("eq", mask, name="mask_seen")
    kept = b.apply("logical_and", seen, mask, name="kept")
    zeros = b.apply("full", name="none_hidden", shape=(batch, a.heads, seq, keys), dtype=b.dtype)
    hidden = b.apply("logical_not", kept, name="hidden")
    return {**tables, name: b.apply("masked_fill", zeros, hidden, name="block_mask")}


def chosen(
    a: Attention, kind: BlockIndexer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> tuple[Value, Dim]:
    """Returns the indices of the blocks that each query sees, (batch, heads, seq, blocks), and how many blocks there
    are; the builder is in the indexer's scope. A key's score is q · k, in float32."""
    batch, seq = x.spec.shape[:2]
    if workload.phase == "train":
        x = b.apply("detach", x, name="x_known")
    parts = []
    for label, heads in (("q", kind.heads), ("k", 1)):
        part = ungraded(workload, b, f"{label}_proj", x, heads * kind.d_head)
        part = b.apply("reshape", part, name=f"{label}_by_head", shape=(batch, seq, heads, kind.d_head))
        gain: Value | Parameter = known(workload, b, f"{label}_norm.weight", (kind.d_head,))
        if b.dtype != "float32":
            gain = b.apply("cast", gain, name=f"{label}_norm.wide", dtype="float32")
        gain = b.apply("shift", gain, name=f"{label}_norm.gain")
        part = b.apply("rms_norm", part, gain, name=f"{label}_norm.normed", upcast="all")
        part = part if part.spec.dtype == b.dtype else b.apply("cast", part, name=f"{label}_narrowed", dtype=b.dtype)
        parts.append(b.apply("transpose", part, name=f"{label}_transposed", dims=(1, 2)))
    cos, sin = (tables[f"{a.rotary_tables}.{word}"] for word in ("cos", "sin"))
    q, k = (
        rotated(attrs.evolve(a, d_head=kind.d_head), b, part, cos, sin, label)
        for part, label in zip(parts, "qk", strict=True)
    )
    k = as_computed(b, with_cache(b, k, "k", workload), "k")
    keys = k.spec.shape[-2]
    last = b.apply("transpose", wide(b, k, "k_wide"), name="k_last", dims=(-2, -1))
    scores = b.apply("matmul", wide(b, q, "q_wide"), last, name="scores")
    later = b.apply("full", name="later", shape=(batch, 1, seq, keys), dtype="bool")
    scores = b.apply("masked_fill", scores, later, name="masked")
    count = ceil_div(keys, kind.size)
    if not equal(count * kind.size, keys):
        scores = b.apply("pad", scores, name="padded", padding=((0, count * kind.size - keys),))
    scores = b.apply("reshape", scores, name="by_block", shape=(batch, kind.heads, seq, count, kind.size))
    best = b.apply("amax", scores, name="best_of_block", dim=-1)
    if kind.near:
        near = b.apply("full", name="near", shape=(batch, kind.heads, seq, kind.near), dtype="int64")
        best = b.apply("scatter", best, near, name="with_near", dim=-1)
    _, ids = b.apply("topk", best, name="topk", k=minimum(kind.top, count))
    return ids, count
