"""Grounding DINO's decoder: queries that attend to each other, to the text and to the maps, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct_architectures.layers import dropped, layer_norm

from graphacct import (
    Builder,
    Dim,
    Value,
    Workload,
    exact_div,
)
from graphacct_vision.detectors import deformable, text_fusion
from graphacct_vision.detectors.box_queries import sines
from graphacct_vision.detectors.conditional_detr import unsquashed
from graphacct_vision.detectors.deformable import BOX
from graphacct_vision.detectors.deformable_maps import corners
from graphacct_vision.detectors.queries import perceptron


def decoded(
    config: Any,
    workload: Workload,
    b: Builder,
    x: Value,
    reference: Value,
    memory: Value,
    hidden: Value,
    text: Value,
    sizes: Sequence[tuple[Dim, Dim]],
) -> tuple[list[Value], list[Value], Value]:
    """Returns the queries' states after each layer, normalized, the boxes that each is given, and the states after all
    layers, normalized. With heads a layer's boxes, without their gradients, are the next one's."""
    width, layers = config.d_model, config.decoder_layers
    batch, count, _ = reference.spec.shape
    ratios = b.apply("constant", name="ratios", shape=(batch, 1, len(sizes), BOX), dtype=b.dtype)
    padding = b.apply("constant", name="text_mask", shape=(batch, 1, count, text.spec.shape[1]), dtype=b.dtype)
    states, references = [], []
    for index in range(layers):
        references.append(reference)
        near = b.apply("reshape", reference, name=f"reference_row_{index}", shape=(batch, count, 1, BOX))
        near = b.apply("mul", near, ratios, name=f"near_{index}")
        first = b.apply("select", near, name=f"near_first_{index}", dim=2)
        waves = sines(b, first, exact_div(width, 2, "d_model / 2"), index)
        with b.turn(index):
            where = perceptron(b, "reference_points_head", waves, width, width, 2)
        with b.scope(f"layers.{index}"):
            x = layer(config, workload, b, x, where, near, memory, hidden, text, padding, sizes)
        if config.detects:
            y = corners(b, index, x, width, config.owner("bbox_embed", index, inside=True))
            y = b.apply("add", y, unsquashed(b, reference, f"reference_{index}"), name=f"corners_{index}")
            reference = b.apply("detach", b.apply("sigmoid", y, name=f"boxes_{index}"), name=f"boxes_{index}_alone")
            if config.BIASED:
                other = config.owner("class_embed", index, inside=True)
                bias = b.parameter(f"class_embed.{index}.bias", (), tied_to=other and f"{other}.bias")
                b.apply("resident", bias, name=f"class_embed.{index}.bias_unread")
        with b.turn(index):
            states.append(layer_norm(b, "layer_norm", x))
    with b.turn(layers):
        return states, references, layer_norm(b, "layer_norm", x)


def layer(
    config: Any,
    workload: Workload,
    b: Builder,
    x: Value,
    where: Value,
    near: Value,
    memory: Value,
    hidden: Value,
    text: Value,
    padding: Value,
    sizes: Sequence[tuple[Dim, Dim]],
) -> Value:
    """Returns the states after a layer: attention among queries, to the text, to the maps, and a network."""
    heads = config.decoder_attention_heads

    def added(x: Value, y: Value, name: str) -> Value:
        y = dropped(b, f"{name}_dropout", y, config.dropout, workload)
        return layer_norm(b, f"{name}_layer_norm", b.apply("add", x, y, name=f"{name}_residual"))

    placed = b.apply("add", x, where, name="placed")
    with b.scope("self_attn"):
        y = text_fusion.attention(config, workload, b, placed, placed, x, heads)
    x = added(x, y, "self_attn")
    placed = b.apply("add", x, where, name="placed_for_text")
    with b.scope("encoder_attn_text"):
        y = text_fusion.attention(config, workload, b, placed, text, text, heads, padding)
    x = added(x, y, "encoder_attn_text")
    with b.scope("encoder_attn"):
        placed = b.apply("add", x, where, name="placed")
        y = deformable.attention(b, placed, memory, near, sizes, heads, config.decoder_n_points, hidden)
    x = added(x, y, "encoder_attn")
    return text_fusion.network(config, workload, b, x, config.decoder_ffn_dim)
