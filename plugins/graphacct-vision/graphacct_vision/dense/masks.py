"""What models share that find masks by queries: a network from a query to the weights of its mask, the mask, and
torch's module of attention."""

from __future__ import annotations

from graphacct_architectures.layers import dropped, linear, merge_heads, split_heads

from graphacct import Builder, Dim, Value, Workload, exact_div
from graphacct_vision.parts.layers import convolution, group_norm

GROUPS = 32


def blocks(b: Builder, name: str, x: Value, hidden: Dim, out: Dim, layers: int = 3) -> Value:
    """Returns x after `layers` linear layers with a ReLU between, each in a module of its own."""
    with b.scope(name):
        for index in range(layers):
            last = index + 1 == layers
            x = linear(b, f"{index}.0", x, out if last else hidden)
            x = x if last else b.apply("relu", x, name=f"{index}.1")
    return x


def masks(b: Builder, name: str, weights: Value, pixels: Value) -> Value:
    """Returns a mask of each query (batch, queries, rows, columns), from its weights (batch, queries, channels) and a
    map (batch, channels, rows, columns)."""
    batch, channels, rows, columns = pixels.spec.shape
    flat = b.apply("reshape", pixels, name=f"{name}_pixels", shape=(batch, channels, rows * columns))
    found = b.apply("matmul", weights, flat, name=f"{name}_flat")
    return b.apply("reshape", found, name=name, shape=(batch, weights.spec.shape[1], rows, columns))


def normed_convolution(b: Builder, name: str, x: Value, channels: Dim, kernel: int = 1, *, bias: bool = False) -> Value:
    """Applies torch.nn.Sequential of a convolution that keeps a map's size and a group norm."""
    exact_div(channels, GROUPS, f"channels of {name} / {GROUPS} groups")
    x = convolution(b, f"{name}.0", x, channels, kernel, padding=kernel // 2, bias=bias)
    return group_norm(b, f"{name}.1", x, GROUPS)


def multihead(
    b: Builder,
    name: str,
    query: Value,
    key: Value,
    value: Value,
    heads: Dim,
    workload: Workload,
    mask: Value | None = None,
    dropout: float = 0.0,
) -> Value:
    """Applies torch.nn.MultiheadAttention, whose projections are one parameter, with its weights written out; the mask
    is added to the scores."""
    width = query.spec.shape[-1]
    d_head = exact_div(width, heads, "width / attention heads")
    with b.scope(name):
        weight, bias = b.parameter("in_proj_weight", (3 * width, width)), b.parameter("in_proj_bias", (3 * width,))
        weights = b.apply("split", weight, name="weights", parts=3, dim=0)
        biases = b.apply("split", bias, name="biases", parts=3, dim=0)
        q, k, v = (
            split_heads(b, b.apply("linear", x, one, other, name=f"{label}_proj"), heads, d_head, label)
            for x, one, other, label in zip((query, key, value), weights, biases, "qkv", strict=True)
        )
        scores = b.apply("scale", q, name="q_scaled")
        scores = b.apply("matmul", scores, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
        scores = scores if mask is None else b.apply("add", scores, mask, name="masked")
        found = dropped(b, "dropout", b.apply("softmax", scores, name="softmax"), dropout, workload)
        return linear(b, "out_proj", merge_heads(b, b.apply("matmul", found, v, name="values")), width)
