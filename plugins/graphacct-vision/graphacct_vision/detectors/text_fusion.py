"""Maps and a text that read each other, layer by layer (Liu et al., 2023, Grounding DINO, arXiv:2303.05499)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation, drop_path, dropped, layer_norm, linear, merge_heads, split_heads

from graphacct import Builder, Dim, Value, Workload, exact_div
from graphacct_vision.detectors import deformable


def encoded(
    config: Any,
    workload: Workload,
    b: Builder,
    x: Value,
    text: Value,
    places: Value,
    hidden: Value,
    sizes: Sequence[tuple[Dim, Dim]],
) -> tuple[Value, Value]:
    """Returns the places of all maps and the text's tokens after the encoder."""
    batch, count, width = x.spec.shape
    seq = text.spec.shape[1]
    near = b.apply("constant", name="reference_places", shape=(batch, count, len(sizes), 2), dtype=b.dtype)
    where = b.apply("constant", name="text_positions", shape=(batch, seq, width), dtype=b.dtype)
    alike = b.apply("constant", name="text_masks", shape=(batch, 1, seq, seq), dtype=b.dtype)
    padding = b.apply("constant", name="text_padding", shape=(batch, 1, 1, seq), dtype="bool")
    for index in range(config.encoder_layers):
        with b.scope(f"layers.{index}"):
            with b.scope("fusion_layer"):
                x, text = fused(config, workload, b, x, text, hidden, padding)
            with b.scope("text_enhancer_layer"):
                text = enhanced(config, workload, b, text, where, alike)
            with b.scope("deformable_layer"):
                with b.scope("self_attn"):
                    placed = b.apply("add", x, places, name="placed")
                    heads, points = config.encoder_attention_heads, config.encoder_n_points
                    y = deformable.attention(b, placed, x, near, sizes, heads, points, hidden)
                y = dropped(b, "dropout", y, config.dropout, workload)
                x = layer_norm(b, "self_attn_layer_norm", b.apply("add", x, y, name="attn_residual"))
                x = network(config, workload, b, x, config.encoder_ffn_dim)
    return x, text


def network(config: Any, workload: Workload, b: Builder, x: Value, hidden: Dim) -> Value:
    """Returns x after a network of one hidden layer, added and normalized."""
    y = activation(b, ACTIVATIONS[config.activation_function], linear(b, "fc1", x, hidden), "activation")
    y = dropped(b, "activation_dropout", y, config.activation_dropout, workload)
    y = dropped(b, "mlp_dropout", linear(b, "fc2", y, x.spec.shape[-1]), config.dropout, workload)
    return layer_norm(b, "final_layer_norm", b.apply("add", x, y, name="mlp_residual"))


def fused(
    config: Any, workload: Workload, b: Builder, x: Value, text: Value, hidden: Value, padding: Value
) -> tuple[Value, Value]:
    """Returns places and text, each with what it reads of the other added: one product of both gives both weights."""
    x, text = layer_norm(b, "layer_norm_vision", x), layer_norm(b, "layer_norm_text", text)
    with b.scope("attn"):
        seen, told = both_ways(config, workload, b, x, text, hidden, padding)
    found = []
    for word, stream, y in (("vision", x, seen), ("text", text, told)):
        y = b.apply("mul", b.parameter(f"{word}_param", stream.spec.shape[-1:]), y, name=f"{word}_scaled")
        y = drop_path(b, f"{word}_drop_path", y, config.fusion_droppath, workload)
        found.append(b.apply("add", stream, y, name=f"{word}_residual"))
    return found[0], found[1]


def both_ways(
    config: Any, workload: Workload, b: Builder, x: Value, text: Value, hidden: Value, padding: Value
) -> tuple[Value, Value]:
    """Returns what places read of the text, and what the text reads of places."""
    width = x.spec.shape[-1]
    inner = exact_div(config.encoder_ffn_dim, 2, "encoder_ffn_dim / 2")
    heads = exact_div(config.encoder_attention_heads, 2, "encoder_attention_heads / 2")
    d_head = exact_div(inner, heads, "encoder_ffn_dim / encoder_attention_heads")
    parts = {}
    for word, stream in (("vision", x), ("text", text)):
        y = linear(b, f"{word}_proj", stream, inner)
        y = b.apply("scale", y, name="vision_scaled") if word == "vision" else y
        values = linear(b, f"values_{word}_proj", stream, inner)
        for label, part in ((word, y), (f"{word}_values", values)):
            parts[label] = b.apply("contiguous", split_heads(b, part, heads, d_head, label), name=label)
    keys = b.apply("transpose", parts["text"], name="text_last", dims=(-2, -1))
    scores = b.apply("matmul", parts["vision"], keys, name="scores")
    largest = b.apply("amax", scores, name="largest", dim=(0, 1, 2, 3), keepdim=True)
    scores = b.apply("clamp", b.apply("sub", scores, largest, name="below_zero"), name="clamped")
    turned = b.apply("transpose", scores, name="turned", dims=(-2, -1))
    most = b.apply("amax", turned, name="largest_of_tokens", dim=-1, keepdim=True)
    turned = b.apply("clamp", b.apply("sub", turned, most, name="turned_below_zero"), name="turned_clamped")
    unseen = b.apply("reshape", hidden, name="unseen", shape=(x.spec.shape[0], 1, 1, x.spec.shape[1]))
    turned = b.apply("masked_fill", turned, unseen, name="turned_masked")
    scores = b.apply("masked_fill", scores, padding, name="masked")
    found = []
    for word, given, other in (("vision", scores, "text_values"), ("text", turned, "vision_values")):
        weights = b.apply("softmax", given, name=f"{word}_softmax")
        weights = dropped(b, f"{word}_dropout", weights, config.fusion_dropout, workload)
        y = b.apply("matmul", weights, parts[other], name=f"{word}_read")
        y = b.apply("transpose", y, name=f"{word}_tokens_first", dims=(1, 2))
        y = b.apply("reshape", y, name=f"{word}_merged", shape=(y.spec.shape[0], y.spec.shape[1], inner))
        found.append(linear(b, f"out_{word}_proj", y, width))
    return found[0], found[1]


def enhanced(config: Any, workload: Workload, b: Builder, text: Value, where: Value, alike: Value) -> Value:
    """Returns the text after attention within its phrases, and a network."""
    placed = b.apply("add", text, where, name="placed")
    heads = exact_div(config.encoder_attention_heads, 2, "encoder_attention_heads / 2")
    with b.scope("self_attn"):
        y = attention(config, workload, b, placed, placed, text, heads, alike)
    y = dropped(b, "dropout", y, config.text_enhancer_dropout, workload)
    text = layer_norm(b, "layer_norm_before", b.apply("add", text, y, name="attn_residual"))
    hidden = exact_div(config.encoder_ffn_dim, 2, "encoder_ffn_dim / 2")
    y = activation(b, ACTIVATIONS[config.activation_function], linear(b, "fc1", text, hidden), "activation")
    y = dropped(b, "activation_dropout", y, config.text_enhancer_dropout, workload)
    y = dropped(b, "mlp_dropout", linear(b, "fc2", y, text.spec.shape[-1]), config.text_enhancer_dropout, workload)
    return layer_norm(b, "layer_norm_after", b.apply("add", y, text, name="mlp_residual"))


def attention(
    config: Any,
    workload: Workload,
    b: Builder,
    query: Value,
    key: Value,
    value: Value,
    heads: Dim,
    mask: Value | None = None,
) -> Value:
    """Returns attention with weights written out; the builder is in the module's scope."""
    width = query.spec.shape[-1]
    d_head = exact_div(width, heads, "d_model / attention heads")
    q, k, v = (
        split_heads(b, linear(b, name, x, width), heads, d_head, name)
        for name, x in (("query", query), ("key", key), ("value", value))
    )
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
    scores = b.apply("scale", scores, name="scale")
    scores = scores if mask is None else b.apply("add", scores, mask, name="masked")
    weights = b.apply("softmax", scores, name="softmax")
    weights = dropped(b, "dropout", weights, config.attention_dropout, workload)
    return linear(b, "out_proj", merge_heads(b, b.apply("matmul", weights, v, name="values")), width)
