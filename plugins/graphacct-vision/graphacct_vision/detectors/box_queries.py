"""Attention of queries that are boxes: among themselves, and to a map in whose places each box is a wave."""

from __future__ import annotations

from graphacct_architectures.layers import dropped, layer_norm, linear, merge_heads, split_heads

from graphacct import Builder, Dim, Value, Workload, exact_div
from graphacct_vision.detectors.detr_backbone import WithBackbone

BOX = 4
"""The numbers of a box."""


def own(config: WithBackbone, workload: Workload, b: Builder, x: Value, where: Value) -> Value:
    """Returns the states after attention of the queries among themselves, each with its position projected."""
    width = config.d_model
    with b.scope("self_attn"):
        q, k = (
            b.apply(
                "add",
                linear(b, f"self_attn_{word}_content_proj", x, width),
                linear(b, f"self_attn_{word}_pos_proj", where, width),
                name=f"{word}_placed",
            )
            for word in ("query", "key")
        )
        v = linear(b, "self_attn_value_proj", x, width)
        return finished(config, workload, b, x, q, k, v, "self_attn")


def crossed(
    config: WithBackbone,
    workload: Workload,
    b: Builder,
    x: Value,
    memory: Value,
    where: Value,
    places: Value,
    waves: Value,
    *,
    placed: bool,
) -> Value:
    """Returns the states after attention to the map, whose heads have a half of content and a half of position. If
    `placed`, the halves of content have positions too."""
    width, heads = config.d_model, config.decoder_attention_heads
    d_head = exact_div(width, heads, "hidden_size / decoder_attention_heads")
    with b.scope("cross_attn"):
        q = linear(b, "cross_attn_query_content_proj", x, width)
        k = linear(b, "cross_attn_key_content_proj", memory, width)
        v = linear(b, "cross_attn_value_proj", memory, width)
        at = linear(b, "cross_attn_key_pos_proj", places, width)
        if placed:
            q = b.apply("add", q, linear(b, "cross_attn_query_pos_proj", where, width), name="q_placed")
            k = b.apply("add", k, at, name="k_placed")
        waves = linear(b, "cross_attn_query_pos_sine_proj", waves, width)
        both = []
        for label, content, position in (("q", q, waves), ("k", k, at)):
            batch, count, _ = content.spec.shape
            halves = [
                b.apply("reshape", part, name=f"{label}_{word}", shape=(batch, count, heads, d_head))
                for part, word in ((content, "content"), (position, "position"))
            ]
            joined = b.apply("concat", *halves, name=f"{label}_both", dim=-1)
            both.append(b.apply("reshape", joined, name=f"{label}_wide", shape=(batch, count, 2 * width)))
        return finished(config, workload, b, x, both[0], both[1], v, "cross_attn")


def finished(
    config: WithBackbone, workload: Workload, b: Builder, x: Value, q: Value, k: Value, v: Value, name: str
) -> Value:
    """Returns the stream with what attention reads added, normalized."""
    with b.scope(name):
        y = attended(config, workload, b, q, k, v, config.decoder_attention_heads)
        y = linear(b, "output_proj", y, config.d_model)
    y = dropped(b, "dropout", y, config.dropout, workload)
    return layer_norm(b, f"{name}_layer_norm", b.apply("add", x, y, name="residual"))


def attended(config: WithBackbone, workload: Workload, b: Builder, q: Value, k: Value, v: Value, heads: Dim) -> Value:
    """Returns what queries read of values, of other widths than theirs, with weights written out."""
    wide, width = q.spec.shape[-1], v.spec.shape[-1]
    q = b.apply("scale", q, name="q_scaled")
    d_head = exact_div(wide, heads, "width of queries / attention heads")
    q, k = (split_heads(b, part, heads, d_head, label) for part, label in ((q, "q"), (k, "k")))
    v = split_heads(b, v, heads, exact_div(width, heads, "hidden_size / attention heads"), "v")
    b.hold(q, k, v)
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
    upcast = {"dtype": "float32"} if b.dtype != "float32" else {}
    weights = b.apply("softmax", scores, name="softmax", **upcast)
    weights = b.apply("cast", weights, name="weights", dtype=b.dtype) if upcast else weights
    weights = dropped(b, "attn_dropout", weights, config.attention_dropout, workload)
    return merge_heads(b, b.apply("matmul", weights, v, name="values"))


def sines(b: Builder, box: Value, half: Dim, index: int) -> Value:
    """Returns waves (batch, queries, 4 * half) of boxes (batch, queries, 4)."""
    batch, count, _ = box.spec.shape
    rates = b.apply("full", name=f"rates_{index}", shape=(half,), dtype="float32")
    x = b.apply("reshape", box, name=f"numbers_{index}", shape=(batch, count, BOX, 1))
    x = b.apply("div", b.apply("scale", x, name=f"circles_{index}"), rates, name=f"angles_{index}")
    sine, cosine = b.apply("split", x, name=f"angle_halves_{index}", parts=2, dim=-1)
    sine, cosine = b.apply("sin", sine, name=f"sines_{index}"), b.apply("cos", cosine, name=f"cosines_{index}")
    x = b.apply("concat", sine, cosine, name=f"waves_of_numbers_{index}", dim=-1)
    x = b.apply("reshape", x, name=f"waves_{index}", shape=(batch, count, BOX * half))
    return b.apply("cast", x, name=f"waves_cast_{index}", dtype=b.dtype) if x.spec.dtype != b.dtype else x


def modulated(b: Builder, centre: Value, size: Value, box: Value, index: int) -> Value:
    """Returns the waves of centres, each half scaled by how a box's side compares with the reference's."""
    halves = b.apply("split", centre, name=f"halves_{index}", parts=2, dim=-1)
    found = []
    for half, side, given, word in ((halves[0], 1, 3, "rows"), (halves[1], 0, 2, "columns")):
        one = b.apply("slice", size, name=f"size_of_{word}_{index}", dim=-1, start=side, length=1)
        other = b.apply("slice", box, name=f"box_of_{word}_{index}", dim=-1, start=given, length=1)
        factor = b.apply("div", one, other, name=f"ratio_of_{word}_{index}")
        found.append(b.apply("mul", half, factor, name=f"{word}_{index}"))
    return b.apply("concat", *found, name=f"modulated_{index}", dim=-1)
