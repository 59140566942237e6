"""What the scores of an encoder's and a decoder's attention are raised by: masks, and biases by distance."""

from __future__ import annotations

from graphacct import Builder, Dim, Parameter, Value, Workload, equal
from graphacct_architectures.encoder_decoders.parts.attention import BIASES, CROSS_BIASES, MASK, turns
from graphacct_architectures.encoder_decoders.parts.description import Attention, Relative, Stack


def scores_tables(stack: Stack, causal: bool, workload: Workload, b: Builder) -> dict[str, Value]:
    """Returns the tables that all layers add to their scores: the biases and, with eager attention, the mask."""
    found: dict[str, Value] = {}
    queries, keys = workload.seq_len, workload.positions
    if not causal:
        queries = keys = workload.encoder_seq_len
    if causal and (workload.attention == "eager" or stack.attention.written_out):
        mask = {"batch": workload.batch, "seq": queries, "keys": keys, "dtype": b.dtype}
        found[MASK] = b.apply("causal_mask", name=MASK, **mask)
    if stack.tables is not None:
        found |= stack.tables(queries, b)
    rotary = stack.attention.rotary
    if not equal(rotary, 0):
        found |= turns(rotary, queries, b)
    if stack.relative is not None and not stack.relative.each:
        heads = stack.attention.heads
        table = b.parameter(f"{stack.relative.module}.weight", (stack.relative.buckets, heads))
        with b.scope(stack.relative.module.rpartition(".")[0]):  # the first layer makes them, for all
            found[BIASES] = distance_biases(table, queries, keys, b)
        if causal:
            shape = (1, heads, queries, workload.encoder_seq_len)
            found[CROSS_BIASES] = b.apply("full", name=CROSS_BIASES, shape=shape, dtype=b.dtype)
    return found


def distance_biases(table: Parameter, queries: Dim, keys: Dim, b: Builder) -> Value:
    """Returns biases (1, heads, queries, keys) from a table (buckets, heads) of distances."""
    heads = table.spec.shape[1]
    buckets = b.apply("relative_buckets", name="buckets", queries=queries, keys=keys)
    x = b.apply("embedding", buckets, table, name="relative_attention_bias")
    x = b.apply("permute", x, name="heads_first", dims=(2, 0, 1))
    return b.apply("reshape", x, name="position_biases", shape=(1, heads, queries, keys))


def own_biases(a: Attention, relative: Relative, causal: bool, workload: Workload, b: Builder) -> dict[str, Value]:
    """Returns the biases that a layer's attention makes for itself: by distance, or zeros towards the encoder."""
    if a.cross:
        shape = (1, a.heads, workload.seq_len, workload.encoder_seq_len)
        return {CROSS_BIASES: b.apply("full", name="position_biases", shape=shape, dtype=b.dtype)}
    queries, keys = (workload.seq_len, workload.positions) if causal else (workload.encoder_seq_len,) * 2
    table = b.parameter(f"{relative.module}.weight", (relative.buckets, a.heads))
    return {BIASES: distance_biases(table, queries, keys, b)}
