"""diffusers' attention: projections with or without biases, fused or written out."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.layers import dropped, linear, merge_heads, split_heads

from graphacct import Builder, Dim, Value, Workload

KINDS = ("fused", "eager")
"""The kinds of attention: diffusers' AttnProcessor2_0, and its AttnProcessor."""


def attend(b: Builder, q: Value, k: Value, v: Value, workload: Workload, name: str = "") -> Value:
    """Returns softmax(q kᵀ / √d) v of heads (batch, heads, tokens, width)."""
    label = f"{name}_" if name else ""
    if workload.attention == "fused":
        return b.apply("scaled_dot_product_attention", q, k, v, name=f"{label}attention")
    turned = b.apply("transpose", k, name=f"{label}keys_transposed", dims=(-1, -2))
    scores = b.apply("scale", b.apply("matmul", q, turned, name=f"{label}scores"), name=f"{label}scaled")
    weights = b.apply("softmax", scores, name=f"{label}softmax")
    return b.apply("matmul", weights, v, name=f"{label}values")


def attention(
    b: Builder,
    name: str,
    x: Value,
    context: Value | None,
    heads: Dim,
    width: Dim,
    workload: Workload,
    *,
    bias: bool = False,
    out_bias: bool = True,
    dropout: float = 0.0,
    norm: Any = None,
) -> Value:
    """Applies diffusers' Attention to tokens x (batch, n, channels), which ask those of `context`, or themselves.

    `heads` of `width` each; `norm(b, name, y)` norms queries and keys before they are split. The output is divided by a
    factor (`rescale_output_factor`), whatever it is.
    """
    with b.scope(name):
        context = x if context is None else context
        q = linear(b, "to_q", x, heads * width, bias=bias)
        k = linear(b, "to_k", context, heads * width, bias=bias)
        v = linear(b, "to_v", context, heads * width, bias=bias)
        if norm is not None:
            q, k = norm(b, "norm_q", q), norm(b, "norm_k", k)
        q, k, v = (split_heads(b, y, heads, width, label) for y, label in ((q, "q"), (k, "k"), (v, "v")))
        y = merge_heads(b, attend(b, q, k, v, workload))
        y = linear(b, "to_out.0", y, x.spec.shape[-1], bias=out_bias)
        y = dropped(b, "to_out.1", y, dropout, workload)
        return b.apply("scale", y, name="rescaled")


def map_attention(
    b: Builder, name: str, x: Value, width: Dim, workload: Workload, norm: Any, *, groups: Dim | None
) -> Value:
    """Applies diffusers' Attention to a map (batch, channels, height, width), with a group norm and the map itself
    added: heads of `width` channels, biases everywhere."""
    batch, channels, *space = x.spec.shape
    heads = channels // width
    with b.scope(name):
        count = space[0] * space[1]
        y = b.apply("reshape", x, name="flat", shape=(batch, channels, count))
        y = b.apply("transpose", y, name="tokens", dims=(1, 2))
        if groups is not None:
            y = b.apply("transpose", y, name="channels_first", dims=(1, 2))
            y = b.apply("transpose", norm(b, "group_norm", y, groups), name="normed", dims=(1, 2))
        q, k, v = (linear(b, part, y, heads * width) for part in ("to_q", "to_k", "to_v"))
        q, k, v = (split_heads(b, part, heads, width, label) for part, label in ((q, "q"), (k, "k"), (v, "v")))
        y = merge_heads(b, attend(b, q, k, v, workload))
        y = linear(b, "to_out.0", y, channels)
        y = b.apply("transpose", y, name="back", dims=(-1, -2))
        y = b.apply("reshape", y, name="map", shape=(batch, channels, *space))
        return b.apply("scale", b.apply("add", y, x, name="residual"), name="rescaled")
