"""Attention whose scores and values know near distances, by learned vectors that all heads share.

Shaw et al., 2018 (arXiv:1803.02155), computed as Huang et al., 2018 (arXiv:1809.04281) do: by products with the vectors
of all distances, skewed.
"""

from __future__ import annotations

from typing import Any

from graphacct import Builder, Dim, Value, Workload, exact_div, maximum
from graphacct_architectures.layers import dropped, linear


def attended(heads: Dim, window: Dim, dropout: float, bias: bool, workload: Workload, b: Builder, x: Value) -> Value:
    """Adds self-attention over x (batch, tokens, width), which is always written out; the builder is in its scope.
    Distances beyond `window` have no vectors."""
    batch, seq, width = x.spec.shape
    d_head = exact_div(width, heads, "hidden_size / num_attention_heads")

    def of_heads(label: str, y: Value) -> Value:
        y = b.apply("reshape", y, name=f"{label}_heads", shape=(batch, seq, heads, d_head))
        y = b.apply("transpose", y, name=f"{label}_transposed", dims=(1, 2))
        y = b.apply("contiguous", y, name=f"{label}_contiguous")
        return b.apply("reshape", y, name=f"{label}_flat", shape=(batch * heads, seq, d_head))

    q = b.apply("scale", linear(b, "q_proj", x, width, bias=bias), name="q_scaled")
    k, v = (of_heads(label, linear(b, f"{label}_proj", x, width, bias=bias)) for label in ("k", "v"))
    q = of_heads("q", q)
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_across", dims=(1, 2)), name="scores")
    near = vectors("emb_rel_k", window, d_head, seq, b)
    known = b.apply("matmul", q, b.apply("transpose", near, name="near_across", dims=(1, 2)), name="distance_scores")
    scores = b.apply("add", scores, by_place(b, known), name="biased")
    weights = b.apply("softmax", scores, name="softmax")
    weights = dropped(b, "attn_dropout", weights, dropout, workload)
    y = b.apply("matmul", weights, v, name="values")
    own = b.apply(
        "matmul", by_distance(b, weights), vectors("emb_rel_v", window, d_head, seq, b), name="distance_values"
    )
    y = b.apply("add", y, own, name="values_biased")
    y = b.apply("reshape", y, name="heads_apart", shape=(batch, heads, seq, d_head))
    y = b.apply("transpose", y, name="heads_transposed", dims=(1, 2))
    y = b.apply("reshape", y, name="merged", shape=(batch, seq, width))
    return linear(b, "out_proj", y, width, bias=bias)


def vectors(name: str, window: Dim, d_head: Dim, seq: Dim, b: Builder) -> Value:
    """Returns the vectors of all distances between tokens, (1, 2 tokens - 1, width of a head)."""
    table: Any = b.parameter(name, (1, 2 * window + 1, d_head))
    beyond = maximum(seq - (window + 1), 0)
    if type(beyond) is not int or beyond:
        table = b.apply("pad", table, name=f"{name}_padded", padding=((beyond, beyond), (0, 0)))
    start = maximum((window + 1) - seq, 0)
    made: Value = b.apply("slice", table, name=f"{name}_near", dim=1, start=start, length=2 * seq - 1)
    return made


def by_place(b: Builder, x: Value) -> Value:
    """Returns scores of distances (heads, tokens, 2 tokens - 1) as those of the keys at these distances."""
    heads, seq, _ = x.spec.shape
    x = b.apply("pad", x, name="rows_padded", padding=((0, 1),))
    x = b.apply("reshape", x, name="rows_flat", shape=(heads, 2 * seq * seq))
    x = b.apply("pad", x, name="flat_padded", padding=((0, seq - 1),))
    x = b.apply("reshape", x, name="skewed", shape=(heads, seq + 1, 2 * seq - 1))
    x = b.apply("slice", x, name="skewed_rows", dim=1, start=0, length=seq)
    return b.apply("slice", x, name="of_keys", dim=2, start=seq - 1, length=seq)


def by_distance(b: Builder, x: Value) -> Value:
    """Returns weights of keys (heads, tokens, tokens) as those of their distances."""
    heads, seq, _ = x.spec.shape
    x = b.apply("pad", x, name="weights_padded", padding=((0, seq - 1),))
    x = b.apply("reshape", x, name="weights_flat", shape=(heads, seq * (2 * seq - 1)))
    x = b.apply("pad", x, name="weights_moved", padding=((seq, 0),))
    x = b.apply("reshape", x, name="weights_skewed", shape=(heads, seq, 2 * seq))
    return b.apply("slice", x, name="of_distances", dim=2, start=1, length=2 * seq - 1)
