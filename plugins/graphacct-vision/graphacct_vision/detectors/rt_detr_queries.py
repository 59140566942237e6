"""RT-DETR's queries: the best places of joined maps, refined by each layer (Zhao et al., 2023, arXiv:2304.08069)."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import dropped, layer_norm, linear, resident

from graphacct import Builder, Dim, Value, Workload, equal
from graphacct_vision.detectors import deformable, hybrid
from graphacct_vision.detectors.conditional_detr import unsquashed
from graphacct_vision.detectors.queries import perceptron

BOX, BOX_LAYERS, POSITION_LAYERS = 4, 3, 2


def flattened(config: Any, b: Builder, sources: list[Value]) -> tuple[Value, list[tuple[Dim, Dim]]]:
    """Returns the places of all maps as tokens, and the maps' sizes."""
    sizes = [(x.spec.shape[2], x.spec.shape[3]) for x in sources]
    flat = []
    for place, (x, (rows, columns)) in enumerate(zip(sources, sizes, strict=True)):
        x = b.apply("reshape", x, name=f"flat_{place}", shape=(x.spec.shape[0], config.d_model, rows * columns))
        flat.append(b.apply("transpose", x, name=f"tokens_{place}", dims=(1, 2)))
    memory = b.apply("concat", *flat, name="memory", dim=1)
    if not equal(config.num_denoising, 0):  # for labels, which a workload does not give
        table = b.parameter("denoising_class_embed.weight", (config.num_labels + 1, config.d_model))
        resident(b, "denoising_class_embed", table, lookup=True)
    return memory, sizes


def chosen(config: Any, workload: Workload, b: Builder, memory: Value) -> tuple[Value, Value]:
    """Returns the states of the places with the highest scores, and their boxes before the sigmoid; no gradient goes
    through either."""
    batch, places, width = memory.spec.shape
    anchors = b.apply("constant", name="anchors", shape=(1, places, BOX), dtype=b.dtype)
    valid = b.apply("constant", name="valid", shape=(1, places, 1), dtype=b.dtype)
    x = b.apply("mul", valid, memory, name="valid_memory")
    x = layer_norm(b, "enc_output.1", linear(b, "enc_output.0", x, width))
    scores = linear(b, "enc_score_head", x, config.num_labels)
    boxes = b.apply("add", perceptron(b, "enc_bbox_head", x, width, BOX, BOX_LAYERS), anchors, name="boxes")
    best = b.apply("amax", scores, name="best_scores", dim=-1)
    _, index = b.apply("topk", best, name="best", k=config.num_queries, dim=1)
    picked = []
    for part, word in ((boxes, "boxes"), (x, "states")):
        each = b.apply("reshape", index, name=f"best_{word}_index", shape=(batch, config.num_queries, 1))
        each = b.apply("repeat", each, name=f"best_{word}_channels", times=(1, 1, part.spec.shape[-1]))
        part = b.apply("gather", part, each, name=f"best_{word}", dim=1)
        picked.append(b.apply("detach", part, name=f"best_{word}_alone"))
    return picked[1], picked[0]


def decoded(
    config: Any,
    workload: Workload,
    b: Builder,
    x: Value,
    reference: Value,
    memory: Value,
    sizes: list[tuple[Dim, Dim]],
    *,
    boxed: bool,
) -> tuple[Value, list[Value], list[Value]]:
    """Returns the queries' states, and each layer's classes and boxes."""
    width, heads = config.d_model, config.decoder_attention_heads
    logits, boxes = [], []
    box = b.apply("sigmoid", reference, name="reference")
    for index in range(config.decoder_layers):
        with b.turn(index):
            places = perceptron(b, "query_pos_head", box, 2 * width, width, POSITION_LAYERS)
        with b.scope(f"layers.{index}"):
            b.hold(x)
            with b.scope("self_attn"):
                y = hybrid.attention(workload, b, x, places, heads, config.attention_dropout)
            x = normed(config, workload, b, "self_attn", x, y)
            with b.scope("encoder_attn"):
                if config.SCALED:
                    count = len(sizes) * config.decoder_n_points
                    resident(b, "n_points_scale", b.parameter("n_points_scale", (count,), "float32", buffer=True))
                query = b.apply("add", x, places, name="placed")
                y = deformable.attention(b, query, memory, box, sizes, heads, config.decoder_n_points)
            x = normed(config, workload, b, "encoder_attn", x, y)
            act = ACTIVATIONS[config.decoder_activation_function]
            y = hybrid.network(config, workload, b, x, config.decoder_ffn_dim, act)
            x = layer_norm(b, "final_layer_norm", b.apply("add", x, y, name="mlp_residual"))
        if boxed:
            corners = perceptron(b, f"bbox_embed.{index}", x, width, BOX, BOX_LAYERS)
            corners = b.apply("add", corners, unsquashed(b, box, f"reference_{index}"), name=f"corners_{index}")
            found = b.apply("sigmoid", corners, name=f"boxes_{index}")
            boxes.append(found)
            box = b.apply("detach", found, name=f"reference_after_{index}")
            logits.append(linear(b, f"class_embed.{index}", x, config.num_labels))
    return x, logits, boxes


def normed(config: Any, workload: Workload, b: Builder, name: str, x: Value, y: Value) -> Value:
    """Returns the stream and attention's output, dropped, added up and normalized."""
    y = dropped(b, f"{name}_dropout", y, config.dropout, workload)
    return layer_norm(b, f"{name}_layer_norm", b.apply("add", x, y, name=f"{name}_residual"))
