"""HunyuanVideo's refiner of texts: layers over the words alone, told a time and the text's mean (Kong et al., 2024)."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.layers import layer_norm, linear, merge_heads, split_heads

from graphacct import Builder, Dim, Value, Workload, equal
from graphacct_diffusers.layers import feed_forward, gated_sum
from graphacct_diffusers.patches import time_and_text
from graphacct_diffusers.stack import stacked

RATIO = 4
"""How many times wider its networks are inside, which no key of a file sets."""


def refined(c: Any, b: Builder, name: str, x: Value, steps: Value, mask: Value, workload: Workload) -> Value:
    """Applies HunyuanVideoTokenRefiner to a text (batch, words, channels), of whose words a mask (batch, words) says
    which are there."""
    batch, words, _ = x.spec.shape
    with b.scope(name):
        there = b.apply("cast", mask, name="mask_wide", dtype="float32")
        there = b.apply("reshape", there, name="mask_column", shape=(batch, words, 1))
        total = b.apply("sum", b.apply("mul", x, there, name="words_there"), name="total", dim=(1,))
        pooled = b.apply("div", total, b.apply("sum", there, name="count", dim=(1,)), name="mean")
        if b.dtype != "float32":
            pooled = b.apply("cast", pooled, name="mean_as_computed", dtype=b.dtype)
        time = time_and_text(b, "time_text_embed", steps, pooled, c.width, None)
        x = linear(b, "proj_in", x, c.width)
        with b.scope("token_refiner"):
            seen = pairs(b, mask)
            body = partial(block, c, workload)
            return stacked(b, "refiner_blocks", c.num_refiner_layers, body, x, constants=(time, seen))


def pairs(b: Builder, mask: Value) -> Value:
    """Returns which words see which (batch, 1, words, words): those that are there; the first column is filled in
    place afterwards."""
    batch, words = mask.spec.shape
    x = b.apply("cast", mask, name="mask", dtype="bool")
    x = b.apply("reshape", x, name="mask_row", shape=(batch, 1, 1, words))
    x = b.apply("repeat", x, name="mask_rows", times=(1, 1, words, 1))
    turned = b.apply("transpose", x, name="mask_columns", dims=(2, 3))
    found: Value = b.apply("bitwise_and", x, turned, name="pairs")
    return found


def block(c: Any, workload: Workload, b: Builder, x: Value, time: Value, seen: Value) -> Value:
    """Applies HunyuanVideoIndividualTokenRefinerBlock."""
    batch, words, width = x.spec.shape
    heads, each = c.num_attention_heads, c.attention_head_dim
    y = layer_norm(b, "norm1", x)
    with b.scope("attn"):
        parts = [linear(b, f"to_{label}", y, width) for label in "qkv"]
        q, k, v = (split_heads(b, z, heads, each, label) for z, label in zip(parts, "qkv", strict=True))
        y = b.apply("scaled_dot_product_attention", q, k, v, of_heads(b, seen, heads, words), name="attention")
        y = linear(b, "to_out.0", merge_heads(b, y), width)
        y = b.apply("scale", y, name="rescaled")
    with b.scope("norm_out"):
        gates = linear(b, "linear", b.apply("silu", time, name="nonlinearity"), 2 * width)
        gates = b.apply("split", gates, name="gates", parts=2, dim=1)
        gate, gate_mlp = (b.apply("reshape", g, name=f"gate_{i}", shape=(batch, 1, width)) for i, g in enumerate(gates))
    x = gated_sum(b, "attn_residual", x, gate, y)
    y = feed_forward(b, "ff", layer_norm(b, "norm2", x), "linear-silu", workload, inner=RATIO * width)
    return gated_sum(b, "ff_residual", x, gate_mlp, y)


def of_heads(b: Builder, seen: Value, heads: Dim, words: Dim) -> Value:
    """Returns a mask (batch, 1, words, words) copied for each head, as attention adds it."""
    batch = seen.spec.shape[0]
    if not equal(heads, 1):
        seen = b.apply("expand", seen, name="mask_all", shape=(batch, heads, words, words))
        seen = b.apply("clone", seen, name="mask_copied")
    found: Value = b.apply("cast", seen, name="added_mask", dtype=b.dtype)
    return found
