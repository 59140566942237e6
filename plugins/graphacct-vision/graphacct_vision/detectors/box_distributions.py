"""Boxes as distributions: how far each of four sides is from where the box started, in bins, and how sure that is.

Peng et al., 2024 (arXiv:2410.13842).
"""

from __future__ import annotations

from typing import Any

from graphacct import Builder, Dim, Value
from graphacct_vision.detectors import rt_detr_queries
from graphacct_vision.detectors.queries import perceptron

SIDES = 4


def head_of_boxes(config: Any, b: Builder, x: Value, index: int) -> Value:
    """Returns the distributions of the four sides, of a layer's own head or of the first layer's."""
    width, out = config.d_model, config.box_numbers
    if index == 0 or not config.shared_head:
        return perceptron(b, f"bbox_embed.{index}", x, width, out, rt_detr_queries.BOX_LAYERS)
    first = "model.decoder.bbox_embed.0"
    for place in range(rt_detr_queries.BOX_LAYERS):
        shape = (out if place + 1 == rt_detr_queries.BOX_LAYERS else width, width)
        for part, size in (("weight", shape), ("bias", shape[:1])):
            name = f"bbox_embed.{index}.layers.{place}.{part}"
            own = b.parameter(name, size, tied_to=f"{first}.layers.{place}.{part}")
            b.apply("resident", own, name=f"{name}_shared")
    with b.turn(index):
        return perceptron(b, "bbox_embed.0", x, width, out, rt_detr_queries.BOX_LAYERS)


def weighting(config: Any, b: Builder) -> Value:
    """Returns the distance that each bin stands for, of two numbers that the model does not train."""
    up, scale = (b.parameter(name, (1,), frozen=True) for name in ("up", "reg_scale"))
    span = b.apply("mul", up, scale, name="span")
    return b.apply("repeat", span, name="project", times=(config.max_num_bins + 1,))


def box_of(config: Any, b: Builder, start: Value, corners: Value, project: Value, index: int) -> Value:
    """Returns boxes: from where they started, each side moved by the mean of its distribution."""
    batch, queries, _ = corners.spec.shape
    bins = config.max_num_bins + 1
    x = b.apply("reshape", corners, name=f"bins_{index}", shape=(batch * queries * SIDES, bins))
    x = b.apply("softmax", x, name=f"distribution_{index}")
    x = b.apply("sum", b.apply("mul", x, project, name=f"distances_of_bins_{index}"), name=f"distance_{index}", dim=-1)
    x = b.apply("reshape", x, name=f"distances_{index}", shape=(batch, queries, SIDES))
    x = b.apply("shift", x, name=f"from_centre_{index}")
    centre, side = b.apply("split", start, name=f"start_parts_{index}", parts=2, dim=-1)
    centre, side = (
        b.apply("repeat", part, name=f"{word}_twice_{index}", times=(1, 1, 2))
        for part, word in ((centre, "centre"), (side, "side"))
    )
    x = b.apply("mul", x, b.apply("scale", side, name=f"unit_{index}"), name=f"moved_{index}")
    x = b.apply("add", centre, x, name=f"corners_of_box_{index}")
    near, far = b.apply("split", x, name=f"corner_parts_{index}", parts=2, dim=-1)
    middle = b.apply("scale", b.apply("add", near, far, name=f"corner_sum_{index}"), name=f"middle_{index}")
    return b.apply("concat", middle, b.apply("sub", far, near, name=f"sides_{index}"), name=f"box_{index}", dim=-1)


def quality(config: Any, b: Builder, corners: Value) -> Value:
    """Returns how sure the distributions are, (batch, queries, 1); the builder is in the module's scope."""
    batch, queries, _ = corners.spec.shape
    top = config.top_prob_values
    x = b.apply("reshape", corners, name="bins", shape=(batch, queries, SIDES, config.max_num_bins + 1))
    best, _ = b.apply("topk", b.apply("softmax", x, name="distribution"), name="best", k=top, dim=-1)
    x = b.apply("concat", best, b.apply("mean", best, name="mean", dim=-1, keepdim=True), name="statistics", dim=-1)
    x = b.apply("reshape", x, name="statistics_flat", shape=(batch, queries, SIDES * (top + 1)))
    return perceptron(b, "reg_conf", x, config.lqe_hidden_dim, 1, config.lqe_layers)


def unread_quality(config: Any, b: Builder) -> None:
    """Adds the parameters of a layer's network for that, which runs in training alone."""
    taken: Dim = SIDES * (config.top_prob_values + 1)
    for place in range(config.lqe_layers):
        out: Dim = 1 if place + 1 == config.lqe_layers else config.lqe_hidden_dim
        resting_head(b, f"reg_conf.layers.{place}", out, taken)
        taken = out


def resting_head(b: Builder, name: str, out: Dim, taken: Dim) -> None:
    """Adds the parameters of a linear layer that nothing runs."""
    for part, shape in (("weight", (out, taken)), ("bias", (out,))):
        b.apply("resident", b.parameter(f"{name}.{part}", shape), name=f"{name}.{part}_unread")
