"""Attention whose scores know positions: by products with sinusoids or learned vectors of distances, or by turns.

Dai et al., 2019 (arXiv:1901.02860); Shaw et al., 2018 (arXiv:1803.02155); Su et al., 2021 (arXiv:2104.09864).
"""

from __future__ import annotations

from typing import Any

from graphacct import Builder, Dim, Value, Workload, exact_div, same
from graphacct_architectures.audio.parts.conformer_layers import KEYED, RELATIVE, ROTARY, Places
from graphacct_architectures.layers import dropped, embedding, linear, merge_heads, resident, split_heads


def distances(b: Builder, x: Value) -> Value:
    """Returns the sinusoids of all distances between positions of x, (1, 2 positions - 1, width): constants."""
    _, seq, width = x.spec.shape
    table: Value = b.apply("constant", name="embed_positions", shape=(1, 2 * seq - 1, width), dtype=b.dtype)
    return table


def turns(p: Places, heads: Dim, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns the cosines and sines of x's positions, (positions, 1, 1, width of a head), which are made anew."""
    _, seq, width = x.spec.shape
    d_head = exact_div(width, heads, "hidden_size / num_attention_heads")
    if p.stored:
        frequencies = b.parameter("embed_positions.inv_freq", ((d_head + 1) // 2,), "float32", buffer=True)
        resident(b, "embed_positions.frequencies", frequencies)
    table = b.apply("full", name="embed_positions.table", shape=(2, seq, 1, 1, d_head), dtype=b.dtype)
    cos, sin = (
        b.apply("select", table, name=f"embed_positions.{name}", dim=0, index=index)
        for index, name in enumerate(("cos", "sin"))
    )
    return cos, sin


def attended(
    p: Places, heads: Dim, dropout: float, workload: Workload, b: Builder, x: Value, tables: tuple[Value, ...]
) -> tuple[Value, tuple[Value, ...]]:
    """Adds self-attention over x (batch, positions, width); the builder is in its scope. Returns the output and, with
    eager attention, the weights."""
    width = x.spec.shape[-1]
    d_head = exact_div(width, heads, "hidden_size / num_attention_heads")
    turned = rotated(heads, d_head, b, x, *tables) if p.kind == ROTARY else x
    sources = {"q": turned, "k": turned, "v": x}
    q, k, v = (
        split_heads(b, linear(b, f"linear_{label}", source, width), heads, d_head, label)
        for label, source in sources.items()
    )
    biases: tuple[Value, ...] = ()
    if p.kind == RELATIVE:
        q, bias = by_sinusoids(b, q, tables[0])
        biases = (bias,)
    elif p.kind == KEYED:
        biases = (by_table(p, b, q),)
    b.hold(q, k, v, *biases)
    written: tuple[Value, ...] = ()
    if workload.attention == "fused":
        options: dict[str, Any] = {"dropout_p": dropout} if workload.phase == "train" and dropout else {}
        y = b.apply("scaled_dot_product_attention", q, k, v, *biases, name="sdpa", **options)
    else:
        scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
        scores = b.apply("scale", scores, name="scale")
        for bias in biases:
            scores = b.apply("add", scores, bias, name="biased")
        weights = b.apply("softmax", scores, name="softmax")
        written = (dropped(b, "attn_dropout", weights, dropout, workload),)
        y = b.apply("matmul", *written, v, name="values")
    return linear(b, "linear_out", merge_heads(b, y), width), written


def by_sinusoids(
    b: Builder, q: Value, table: Value, names: tuple[str, str] = ("linear_pos", "pos_bias")
) -> tuple[Value, Value]:
    """Returns queries with a learned vector added, and the biases of the scores: products of queries, with another
    vector added, and projected sinusoids, shifted so that each query has its own distances. `table` is one for all
    sequences or one for each; `names` are the projection's, and how the vectors' begin."""
    batch, heads, seq, d_head = q.spec.shape
    tables, count, _ = table.spec.shape
    projection, vector = names
    p = linear(b, projection, table, heads * d_head, bias=False)
    p = b.apply("reshape", p, name="pos_heads", shape=(tables, count, heads, d_head))
    p = b.apply("permute", p, name="pos_permuted", dims=(0, 2, 3, 1))
    if not same(tables, batch):
        p = b.apply("expand", p, name="pos_of_each", shape=(batch, heads, d_head, count))
    with_u, with_v = (
        b.apply(
            "add",
            q,
            b.apply(
                "reshape",
                b.parameter(f"{vector}_{label}", (heads, d_head)),
                name=f"pos_bias_{label}",
                shape=(1, heads, 1, d_head),
            ),
            name=f"q_with_{label}",
        )
        for label in ("u", "v")
    )
    scores = b.apply("matmul", with_v, p, name="distance_scores")
    scores = b.apply("pad", scores, name="distance_padded", padding=((1, 0),))
    scores = b.apply("reshape", scores, name="distance_skewed", shape=(batch, heads, count + 1, seq))
    scores = b.apply("slice", scores, name="distance_shifted", dim=2, start=1, length=count)
    scores = b.apply("reshape", scores, name="distance_rows", shape=(batch, heads, seq, count))
    scores = b.apply("slice", scores, name="distance_of_keys", dim=3, start=0, length=seq)
    return with_u, b.apply("scale", scores, name="distance_scaled")


def by_table(p: Places, b: Builder, q: Value) -> Value:
    """Returns the biases of the scores: products of queries and the vectors of distances, of which there is a table
    with an end on each side."""
    seq, d_head = q.spec.shape[2:]
    buckets = b.apply("relative_buckets", name="distances", queries=seq, keys=seq)
    vectors = embedding(b, "distance_embedding", buckets, p.left + p.right + 1, d_head)
    bias = b.apply("einsum", q, vectors, name="distance_scores", equation="bhld,lrd->bhlr")
    return b.apply("scale", bias, name="distance_scaled")


def rotated(heads: Dim, d_head: Dim, b: Builder, x: Value, cos: Value, sin: Value) -> Value:
    """Returns x (batch, positions, width) turned: each pair of halves of a head by an angle of the position."""
    batch, seq, width = x.spec.shape
    x = b.apply("reshape", x, name="turned_heads", shape=(batch, seq, heads, d_head))
    x = b.apply("transpose", x, name="time_first", dims=(0, 1))
    half = d_head // 2
    first = b.apply("slice", x, name="first_half", dim=-1, start=0, length=half)
    second = b.apply("slice", x, name="second_half", dim=-1, start=half, length=d_head - half)
    other = b.apply("concat", b.apply("neg", second, name="negated"), first, name="swapped", dim=-1)
    x = b.apply("mul", x, cos, name="times_cos")
    x = b.apply("add", x, b.apply("mul", other, sin, name="times_sin"), name="turned")
    x = b.apply("transpose", x, name="batch_first", dims=(0, 1))
    return b.apply("reshape", x, name="turned_stream", shape=(batch, seq, width))
