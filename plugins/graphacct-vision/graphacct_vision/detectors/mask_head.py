"""Masks of what queries have found: where each looks, refined with larger maps (Carion et al., 2020,
arXiv:2005.12872)."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation, linear

from graphacct import Builder, ConfigError, Dim, Value, exact_div, floor_div, has_value
from graphacct_vision.parts.layers import convolution, group_norm

GROUPS, FUSED = 8, 3


def segmented(config: Any, b: Builder, x: Value, seen: Any) -> Value:
    """Returns a mask of each query (batch, queries, rows, columns), of its states x and what it has `seen`."""
    if len(seen.maps) < FUSED:
        raise ConfigError(f"the backbone hands on {len(seen.maps)} maps: {config.architectures} reads {FUSED}")
    batch, width, rows, columns = seen.projected.spec.shape
    queries = x.spec.shape[1]
    memory = b.apply("transpose", seen.memory, name="memory_channels", dims=(1, 2))
    memory = b.apply("reshape", memory, name="memory_map", shape=(batch, width, rows, columns))
    heads = config.encoder_attention_heads
    with b.scope("bbox_attention"):
        looks = attention_map(b, x, memory, heads)
    with b.scope("mask_head"):
        y = of_queries(b, seen.projected, queries, "features")
        looks = b.apply("reshape", looks, name="looks", shape=(batch * queries, heads, rows, columns))
        y = b.apply("concat", y, looks, name="both", dim=1)
        y = refined(config, b, "conv1", y, width + heads)
        y = refined(config, b, "conv2", y, floor_div(width, 2))
        for place, level in enumerate(reversed(range(FUSED))):
            other = of_queries(b, seen.maps[level], queries, f"map_{level}")
            with b.scope(f"fpn_stages.{place}"):
                other = convolution(b, "fpn_adapter", other, floor_div(width, 2 ** (place + 1)), bias=True)
                y = b.apply("upsample_nearest", y, name="resized", size=other.spec.shape[2:])
                y = b.apply("add", other, y, name="joined")
                y = refined(config, b, "refine", y, floor_div(width, 2 ** (place + 2)))
        y = convolution(b, "output_conv", y, 1, 3, padding=1, bias=True)
    return b.apply("reshape", y, name="pred_masks", shape=(batch, queries, *y.spec.shape[2:]))


def attention_map(b: Builder, x: Value, memory: Value, heads: Dim) -> Value:
    """Returns where each query looks, (batch, queries, heads, rows, columns), of all places of all heads together."""
    batch, width, rows, columns = memory.spec.shape
    queries, d_head = x.spec.shape[1], exact_div(width, heads, "d_model / attention heads")
    q = b.apply("reshape", linear(b, "q_proj", x, width), name="q_heads", shape=(batch, queries, heads, d_head))
    q = b.apply("contiguous", b.apply("transpose", q, name="q_transposed", dims=(1, 2)), name="q")
    weight, bias = b.parameter("k_proj.weight", (width, width)), b.parameter("k_proj.bias", (width,))
    kernel = b.apply("reshape", weight, name="k_kernel", shape=(width, width, 1, 1))
    k = b.apply("convolution", memory, kernel, bias, name="k_proj")
    k = b.apply("reshape", k, name="k_heads", shape=(batch, heads, d_head, rows * columns))
    scores = b.apply("matmul", b.apply("scale", q, name="scale"), k, name="scores")
    scores = b.apply("transpose", scores, name="queries_first", dims=(1, 2))
    hidden = b.apply("constant", name="mask", shape=(batch, 1, 1, rows * columns), dtype=b.dtype)
    scores = b.apply("add", scores, hidden, name="masked")
    scores = b.apply("reshape", scores, name="of_heads", shape=(batch, queries, heads * rows * columns))
    weights = b.apply("softmax", scores, name="softmax")
    return b.apply("reshape", weights, name="weights", shape=(batch, queries, heads, rows, columns))


def of_queries(b: Builder, x: Value, queries: Dim, name: str) -> Value:
    """Returns a map for each query, (batch * queries, channels, rows, columns), copied."""
    batch, *rest = x.spec.shape
    x = b.apply("reshape", x, name=f"{name}_row", shape=(batch, 1, *rest))
    x = b.apply("expand", x, name=f"{name}_each", shape=(batch, queries, *rest))
    return b.apply("reshape", x, name=f"{name}_of_queries", shape=(batch * queries, *rest))


def refined(config: Any, b: Builder, name: str, x: Value, channels: Dim) -> Value:
    """Applies a convolution, a group norm and the activation."""
    groups = min(GROUPS, channels) if has_value(channels) else GROUPS
    exact_div(channels, groups, f"channels of mask_head.{name} / {groups} groups")
    with b.scope(name):
        x = group_norm(b, "norm", convolution(b, "conv", x, channels, 3, padding=1, bias=True), groups)
        return activation(b, ACTIVATIONS[config.activation_function], x, "activation")
