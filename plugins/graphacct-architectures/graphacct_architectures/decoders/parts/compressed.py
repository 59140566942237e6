"""Attention whose keys are the values: a window of tokens, and before them entries that stand for several tokens each
(DeepSeek-AI, "DeepSeek-V4", 2026, section 2.3).

As in the transformers library, every score is computed: those of entries that a query does not see, because they end
after it or because the indexer did not choose them, are masked.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphacct import Builder, Dim, Value, Workload, exact_div, frozen, has_value, minimum
from graphacct_architectures.decoders.parts.attention import eager, fused
from graphacct_architectures.decoders.parts.compressor import Compressor, entries, turned_last
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.hyper import unweighted
from graphacct_architectures.decoders.parts.indexer import ungraded, wide
from graphacct_architectures.decoders.parts.names import mask_name
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import linear, split_heads, with_cache


@frozen
class Chooser:
    """Small heads that choose the entries each query sees, by entries of their own.

    Attributes:
        heads: Its heads of queries.
        compressor: What makes its entries, one head of them.
        top: How many entries a query sees; all if there are fewer.
    """

    heads: Dim
    compressor: Compressor
    top: Dim


@frozen
class Compressed:
    """Attention with one head of keys, which are also the values.

    Attributes:
        attention: Its heads and window; its rotary tables also turn the queries of a chooser.
        query_rank: The width of the queries' latent.
        groups: How many groups of heads are projected apart, before one projection of all.
        group_rank: The width of each group's projection.
        compressor: What makes its entries; None if it sees the window alone.
        chooser: What chooses among them; None if a query sees all that end before it.
    """

    attention: Attention
    query_rank: Dim
    groups: int
    group_rank: Dim
    compressor: Compressor | None = None
    chooser: Chooser | None = None


def compressed_attention(
    c: Compressed, kind: Norm, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> Value:
    """Adds attention over x (batch, seq, width), which is returned in the same shape; the builder is in its scope."""
    a = c.attention
    batch, seq, width = x.spec.shape
    cos, sin = (tables[f"{a.rotary_tables}.{word}"] for word in ("cos", "sin"))
    b.hold(x)
    source = normed_by(b, "q_a_norm", linear(b, "q_a_proj", x, c.query_rank, bias=False), kind)
    q = split_heads(b, linear(b, "q_b_proj", source, a.heads * a.d_head, bias=False), a.heads, a.d_head, "q")
    q = turned_last(b, unweighted(b, "q_b_norm", q), cos, sin, a.rotary, "q")
    kv = normed_by(b, "kv_norm", linear(b, "kv_proj", x, a.d_head, bias=False), kind)
    kv = turned_last(b, split_heads(b, kv, 1, a.d_head, "kv"), cos, sin, a.rotary, "kv")
    if c.compressor is None:  # the library's cache of a plain window has keys and values, though they are equal
        with_cache(b, kv, "v", workload, a.window)
    kv = with_cache(b, kv, "kv", workload, a.window)
    b.hold(source, q, kv)
    if c.compressor is not None:
        kv, tables = with_entries(c, c.compressor, workload, b, x, source, kv, tables)
    y = (fused if workload.attention == "fused" else eager)(a, workload, b, q, kv, kv, tables)
    if not isinstance(y, Value):
        y, weights = y
        b.hold(weights)
    y = b.apply("contiguous", b.apply("transpose", y, name="merge_transposed", dims=(1, 2)), name="by_token")
    y = b.apply("transpose", y, name="by_head", dims=(1, 2))
    y = turned_last(b, y, cos, b.apply("neg", sin, name="sin_back"), a.rotary, "back")
    y = b.apply("transpose", y, name="back_by_token", dims=(1, 2))
    of_group = exact_div(a.heads * a.d_head, c.groups, "num_attention_heads · head_dim / o_groups")
    y = b.apply("reshape", y, name="groups", shape=(batch * seq, c.groups, of_group))
    with b.scope("o_a_proj"):
        weight = b.parameter("weight", (c.groups * c.group_rank, of_group))
        weight = b.apply("reshape", weight, name="by_group", shape=(c.groups, c.group_rank, of_group))
        weight = b.apply("transpose", weight, name="in_out", dims=(1, 2))
        y = b.apply("transpose", y, name="groups_first", dims=(0, 1))
        y = b.apply("transpose", b.apply("matmul", y, weight, name="product"), name="tokens_first", dims=(0, 1))
    y = b.apply("reshape", y, name="groups_joined", shape=(batch, seq, c.groups * c.group_rank))
    return linear(b, "o_b_proj", y, width, bias=False)


def with_entries(
    c: Compressed,
    compressor: Compressor,
    workload: Workload,
    b: Builder,
    x: Value,
    source: Value,
    kv: Value,
    tables: Mapping[str, Value],
) -> tuple[Value, Mapping[str, Value]]:
    """Returns the keys with all entries behind them, and the tables with a mask for both."""
    batch, seq = x.spec.shape[:2]
    name = mask_name(c.attention, workload)
    chooser = c.chooser
    with b.scope("compressor"):
        found = entries(compressor, workload, b, x, "entries")
        if chooser is not None:
            with b.scope("indexer"):
                ids = chosen(c, chooser, workload, b, x, source, tables)
        if found is None:
            return b.apply("concat", kv, name="with_entries", dim=-2), tables
        count = found.spec.shape[1]
        boolean = workload.attention == "fused"
        one = seq == 1 if has_value(seq) else False
        bias: Value | None = None
        if chooser is not None:
            shape = (batch, 1, seq, count + 1)
            bias = b.apply("full", name="all_hidden", shape=shape, dtype="bool" if boolean else b.dtype)
            places = b.apply("reshape", ids, name="chosen_places", shape=(batch, 1, seq, ids.spec.shape[-1]))
            bias = b.apply("scatter", bias, places, name="chosen", dim=-1)
            bias = b.apply("slice", bias, name="entries_mask", dim=-1, start=0, length=count)
        elif not one:
            later = b.apply("full", name="later", shape=(1, 1, seq, count), dtype="bool")
            shape = (batch, 1, seq, count)
            if boolean:
                bias = b.apply("expand", later, name="entries_mask", shape=shape)
            else:
                bias = b.apply("full", name="none_hidden", shape=shape, dtype=b.dtype)
                bias = b.apply("masked_fill", bias, later, name="entries_mask")
    entry = b.apply("reshape", found, name="entries_apart", shape=(batch, 1, count, c.attention.d_head))
    kv = b.apply("concat", kv, entry, name="with_entries", dim=-2)
    mask = tables.get(name)
    if mask is None:  # one operator, and a step that sees all of the window
        if bias is None:
            return kv, tables
        shape = (batch, 1, seq, kv.spec.shape[-2] - count)
        mask = b.apply("full", name="window_mask", shape=shape, dtype="bool")
    if bias is None:
        mask = b.apply("pad", mask, name="mask_of_both", padding=((0, count),))
    else:
        mask = b.apply("concat", mask, bias, name="mask_of_both", dim=-1)
    return kv, {**tables, name: mask}


def chosen(
    c: Compressed,
    i: Chooser,
    workload: Workload,
    b: Builder,
    x: Value,
    source: Value,
    tables: Mapping[str, Value],
) -> Value:
    """Returns the indices of the entries that each query sees, (batch, seq, entries); the builder is in the indexer's
    scope. An entry's score is Σ w ReLU(q · k) over its heads, in float32; the weights w are projected from x.

    No gradient runs through indices.
    """
    a = c.attention
    batch, seq = x.spec.shape[:2]
    if workload.phase == "train":
        x, source = (b.apply("detach", part, name=f"{word}_known") for part, word in ((x, "x"), (source, "source")))
    found = entries(i.compressor, workload, b, x, "keys")
    width = i.compressor.width
    q = ungraded(workload, b, "q_b_proj", source, i.heads * width)
    q = split_heads(b, q, i.heads, width, "q")
    cos, sin = (tables[f"{a.rotary_tables}.{word}"] for word in ("cos", "sin"))
    q = turned_last(b, q, cos, sin, i.compressor.rotary, "q")
    q = b.apply("transpose", q, name="q_by_token", dims=(1, 2))
    with b.scope("scorer"):
        if found is not None:
            count = found.spec.shape[1]
            k = wide(b, b.apply("transpose", found, name="k_last", dims=(1, 2)), "k_wide")
            k = b.apply("reshape", k, name="k_of_all", shape=(batch, 1, width, count))
            scores = b.apply("matmul", wide(b, q, "q_wide"), k, name="scores")
            scores = b.apply("scale", b.apply("relu", scores, name="relu"), name="scaled")
        weights = wide(b, ungraded(workload, b, "weights_proj", x, i.heads), "weights_wide")
        weights = b.apply("scale", weights, name="weights_scaled")
        if found is None:
            return weights
        weights = b.apply("reshape", weights, name="weights_apart", shape=(batch, seq, i.heads, 1))
        scores = b.apply("sum", b.apply("mul", scores, weights, name="weighted"), name="of_each_entry", dim=2)
    hidden = b.apply("full", name="later", shape=(1, seq, count), dtype="bool")
    scores = b.apply("masked_fill", scores, hidden, name="masked")
    _, ids = b.apply("topk", scores, name="topk", k=minimum(i.top, count))
    return ids
