"""Attention of rows over other rows: learned queries, or tokens of a text, that ask the tokens of a tower."""

from __future__ import annotations

from typing import Any

from graphacct import Builder, Dim, Value, Workload, equal, exact_div, frozen
from graphacct_architectures.layers import dropped, linear, merge_heads, split_heads


@frozen
class Asking:
    """The module.

    Attributes:
        heads: Heads of queries.
        kv_heads: Heads of keys and values.
        d_head: Width of a head.
        q, k, v, out: The projections' names.
        bias: Whether the first three have biases.
        out_bias: Whether the last one has.
        dropout: The dropout probability of the weights, in training.
        upcast: Whether written-out softmax runs in float32.
    """

    heads: Dim
    kv_heads: Dim
    d_head: Dim
    q: str = "q_proj"
    k: str = "k_proj"
    v: str = "v_proj"
    out: str = "o_proj"
    bias: bool = False
    out_bias: bool = False
    dropout: float = 0.0
    upcast: bool = True


def asked(a: Asking, workload: Workload, b: Builder, x: Value, seen: Value, width: Dim | None = None) -> Value:
    """Returns what rows x (batch, rows, width) read of the rows that are seen (batch, others, …), projected to `width`,
    that of x unless given; the builder is in the module's scope."""
    q = split_heads(b, linear(b, a.q, x, a.heads * a.d_head, bias=a.bias), a.heads, a.d_head, "q")
    k, v = (
        split_heads(b, linear(b, name, seen, a.kv_heads * a.d_head, bias=a.bias), a.kv_heads, a.d_head, label)
        for name, label in ((a.k, "k"), (a.v, "v"))
    )
    y = read(a, workload, b, q, k, v)
    return linear(b, a.out, merge_heads(b, y), x.spec.shape[-1] if width is None else width, bias=a.out_bias)


def read(a: Asking, workload: Workload, b: Builder, q: Value, k: Value, v: Value, mask: Value | None = None) -> Value:
    """Returns what queries (batch, heads, rows, d_head) read of keys and values (batch, kv_heads, others, d_head); a
    mask is added to the scores, and torch's kernels for one do not accept shared heads."""
    b.hold(q, k, v)
    drop = a.dropout if workload.phase == "train" else 0.0
    rest = () if mask is None else (mask,)
    if rest or workload.attention != "fused":
        k, v = (repeated(a, b, part, label) for part, label in ((k, "k"), (v, "v")))
    if workload.attention == "fused":
        options: dict[str, Any] = {"dropout_p": drop} if drop else {}
        y: Value = b.apply("scaled_dot_product_attention", q, k, v, *rest, name="sdpa", causal=False, **options)
        return y
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
    scores = b.apply("scale", scores, name="scale")
    if mask is not None:
        scores = b.apply("add", scores, mask, name="mask")
    wide = {"dtype": "float32"} if a.upcast and b.dtype != "float32" else {}
    weights = b.apply("softmax", scores, name="softmax", **wide)
    if wide:
        weights = b.apply("cast", weights, name="weights", dtype=b.dtype)
    weights = dropped(b, "attn_dropout", weights, drop, workload)
    return b.apply("matmul", weights, v, name="values")


def repeated(a: Asking, b: Builder, x: Value, label: str) -> Value:
    """Returns keys or values with a copy for each head of queries that shares them."""
    batch, heads, rows, width = x.spec.shape
    if equal(a.heads, heads):
        return x
    times = exact_div(a.heads, heads, "heads / heads of keys and values")
    x = b.apply("reshape", x, name=f"{label}_apart", shape=(batch, heads, 1, rows, width))
    x = b.apply("expand", x, name=f"{label}_expanded", shape=(batch, heads, times, rows, width))
    return b.apply("reshape", x, name=f"{label}_repeated", shape=(batch, a.heads, rows, width))


def torch_attention(b: Builder, q: Value, k: Value, v: Value, heads: Dim) -> Value:
    """Returns what torch.nn.MultiheadAttention makes of queries, keys and values (batch, rows, width); the builder is
    in its scope. It scales the queries, and reads the tensors of `out_proj`, which itself never runs."""
    width = q.spec.shape[-1]
    d_head = exact_div(width, heads, "width / heads of torch.nn.MultiheadAttention")
    weights = b.parameter("in_proj_weight", (3 * width, width))
    biases = b.parameter("in_proj_bias", (3 * width,))
    each = b.apply("split", weights, name="in_proj_weights", parts=3, dim=0)
    each_bias = b.apply("split", biases, name="in_proj_biases", parts=3, dim=0)
    parts = [
        split_heads(b, b.apply("linear", x, weight, bias, name=f"{label}_projected"), heads, d_head, label)
        for x, weight, bias, label in zip((q, k, v), each, each_bias, "qkv", strict=True)
    ]
    scaled = b.apply("scale", parts[0], name="q_scaled")
    scores = b.apply("matmul", scaled, b.apply("transpose", parts[1], name="k_last", dims=(-2, -1)), name="scores")
    y = merge_heads(b, b.apply("matmul", b.apply("softmax", scores, name="softmax"), parts[2], name="values"))
    rest = b.parameter("out_proj.weight", (width, width)), b.parameter("out_proj.bias", (width,))
    out: Value = b.apply("linear", y, *rest, name="out")
    return out
