"""WavLM's attention: biases of the scores by distance, weighted by gates of the layer's input.

Chen et al., 2021 (arXiv:2110.13900).
"""

from __future__ import annotations

from typing import Any

from graphacct import Builder, Dim, Value, Workload
from graphacct_architectures.audio.parts.description import Gated, Waves
from graphacct_architectures.layers import dropped, linear

GATES, SUMMED = 2, 4
"""The gates of each query and head, and how many values each is a sum of."""


def biases(w: Waves, gated: Gated, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the biases of all queries and keys, (batch, heads, seq, seq), from the table in the first layer."""
    batch, seq = x.spec.shape[:2]
    with b.scope("layers.0.attention"):
        buckets = b.apply("relative_buckets", name="buckets", queries=seq, keys=seq)
        table = b.parameter("rel_attn_embed.weight", (gated.buckets, w.heads))
        x = b.apply("embedding", buckets, table, name="rel_attn_embed")
        x = b.apply("permute", x, name="heads_first", dims=(2, 0, 1))
        x = b.apply("reshape", x, name="one_sequence", shape=(1, w.heads, seq, seq))
        return b.apply("repeat", x, name="position_bias", times=(batch, 1, 1, 1))


def gated_attention(w: Waves, d_head: Dim, workload: Workload, b: Builder, x: Value, table: Value) -> Value:
    """Adds self-attention with gated biases; the builder is in its scope."""
    batch, seq, width = x.spec.shape
    gate = gates(w, d_head, b, x)
    biased = b.apply("mul", gate, table, name="gated_biases")
    rows = b.apply("transpose", x, name="time_first", dims=(0, 1))
    q, k, v = (split(w, d_head, b, projected(b, label, rows, width), label) for label in "qkv")
    b.hold(q, k, v)
    drop = w.attention_dropout
    if workload.attention == "fused":
        options: dict[str, Any] = {"dropout_p": drop} if workload.phase == "train" and drop else {}
        y = b.apply("scaled_dot_product_attention", q, k, v, biased, name="sdpa", **options)
    else:
        q = b.apply("scale", q, name="q_scaled")
        scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
        scores = b.apply("add", scores, biased, name="biased")
        weights = dropped(b, "attn_dropout", b.apply("softmax", scores, name="softmax"), drop, workload)
        y = b.apply("matmul", weights, v, name="values")
    y = b.apply("permute", y, name="merge_permuted", dims=(2, 0, 1, 3))
    y = b.apply("reshape", y, name="merge_heads", shape=(seq * batch, width))
    y = projected(b, "out", y, width)
    y = b.apply("reshape", y, name="in_sequences", shape=(seq, batch, width))
    return b.apply("transpose", y, name="batch_first", dims=(0, 1))


def gates(w: Waves, d_head: Dim, b: Builder, x: Value) -> Value:
    """Returns what multiplies the biases of each query, (batch, heads, seq, 1)."""
    batch, seq, _ = x.spec.shape
    x = b.apply("reshape", x, name="gate_heads", shape=(batch, seq, w.heads, d_head))
    x = b.apply("permute", x, name="gate_permuted", dims=(0, 2, 1, 3))
    x = linear(b, "gru_rel_pos_linear", x, GATES * SUMMED)
    x = b.apply("reshape", x, name="gate_parts", shape=(batch, w.heads, seq, GATES, SUMMED))
    x = b.apply("sigmoid", b.apply("sum", x, name="gate_sums", dim=-1), name="gates")
    first, second = b.apply("split", x, name="gate_a_b", parts=2)
    x = b.apply("mul", second, b.parameter("gru_rel_pos_const", (1, w.heads, 1, 1)), name="gate_b_weighted")
    x = b.apply("mul", first, b.apply("shift", x, name="gate_b_less_1"), name="gate_a_times_b")
    return b.apply("shift", x, name="gate")


def projected(b: Builder, label: str, x: Value, width: Dim) -> Value:
    """Applies a projection whose module does not run itself: the attention's function takes its parameters."""
    weight = b.parameter(f"{label}_proj.weight", (width, x.spec.shape[-1]))
    return b.apply("linear", x, weight, b.parameter(f"{label}_proj.bias", (width,)), name=f"{label}_projected")


def split(w: Waves, d_head: Dim, b: Builder, x: Value, label: str) -> Value:
    """Returns x (seq, batch, width) as (batch, heads, seq, d_head)."""
    seq, batch, _ = x.spec.shape
    x = b.apply("reshape", x, name=f"{label}_heads", shape=(seq, batch, w.heads, d_head))
    return b.apply("permute", x, name=f"{label}_permuted", dims=(1, 2, 0, 3))
