"""Swin V2: cosine attention in shifted windows, biased by a network of the distance, norms after each part.

Liu et al., 2021 (arXiv:2111.09883).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import drop_path, dropped, layer_norm, linear, merge_heads, split_heads

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    exact_div,
    fields,
    floor_div,
    frozen,
    has_value,
    prod,
)
from graphacct_vision.parts.windows import Grid, into_windows, out_of_windows, padded_grid, regions, times
from graphacct_vision.vits.swin import ENDS, Body, SwinConfig, family

CLASSES = tuple(f"Swinv2{end}" for end in ENDS)
HIDDEN = 512
"""The width of the network from a distance to a number for each head."""


@frozen(kw_only=True)
class Swinv2Config(SwinConfig):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "swinv2"
    NORM_LAST: ClassVar[bool] = True
    BACKBONE_NORMS: ClassVar[bool] = False

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    use_absolute_embeddings: bool = fields.always(False)  # the library's class has a position too many to run

    def windows(self, stage: int, grid: Grid) -> tuple[Dim, bool]:
        """Returns a stage's window and whether every other layer's is shifted, by the image that the file states."""
        sides = [
            floor_div(floor_div(side, step), 2**stage)
            for side, step in zip(self.image_size, self.patch_size, strict=True)
        ]
        if not all(has_value(side) for side in (*sides, self.window_size)) or sides[0] < 1:
            raise ConfigError("image_size, patch_size and window_size are integers, and each stage has a patch")
        window = min(sides[0], self.window_size)
        return window, bool(sides[0] > window and self.window_size > 1)

    def block(self, workload: Workload, stage: int, grid: Grid, window: Dim) -> Callable[[bool, bool], Body]:
        """Returns what makes a layer's body, of whether its windows are shifted and whether it drops no branch."""
        return lambda shifted, spared: partial(
            layer, self, workload, stage, grid, window, shifted, 0.0 if spared else self.drop_path_rate
        )


def layer(
    config: Swinv2Config,
    workload: Workload,
    stage: int,
    grid: Grid,
    window: Dim,
    shifted: bool,
    rate: float,
    b: Builder,
    x: Value,
) -> Value:
    """Returns x (batch, rows * columns, channels) after a layer."""
    batch, _, width = x.spec.shape
    shift = floor_div(config.window_size, 2) if shifted else 0
    b.hold(x)
    y = into_windows(b, x, grid, window, shift)
    hidden = regions(b, grid, window) if shifted else None
    with b.scope("attention"):
        with b.scope("self"):
            y = attention(config, workload, config.num_heads[stage], window, grid, b, y, hidden)
        with b.scope("output"):
            y = dropped(b, "dropout", linear(b, "dense", y, width), config.attention_probs_dropout_prob, workload)
    y = layer_norm(b, "layernorm_before", out_of_windows(b, y, batch, grid, window, shift))
    x = b.apply("add", x, drop_path(b, "attn_drop_path", y, rate, workload), name="attn_residual")
    with b.scope("intermediate"):
        y = linear(b, "dense", x, times(width, config.mlp_ratio))
        y = activated(b, ACTIVATIONS[config.hidden_act], y, "intermediate_act_fn")
    with b.scope("output"):
        y = dropped(b, "dropout", linear(b, "dense", y, width), config.hidden_dropout_prob, workload)
    y = layer_norm(b, "layernorm_after", y)
    return b.apply("add", x, drop_path(b, "mlp_drop_path", y, rate, workload), name="mlp_residual")


def attention(
    config: Swinv2Config,
    workload: Workload,
    heads: Dim,
    window: Dim,
    grid: Grid,
    b: Builder,
    x: Value,
    hidden: Value | None,
) -> Value:
    """Returns attention by the cosine of queries and keys, whose scale each head learns."""
    width = x.spec.shape[-1]
    d_head = exact_div(width, heads, "channels / num_heads")
    biases = {"query": config.qkv_bias, "key": False, "value": config.qkv_bias}
    b.hold(x)
    q, k, v = (
        split_heads(b, linear(b, name, x, width, bias=bias), heads, d_head, name) for name, bias in biases.items()
    )
    b.hold(q, k, v)
    keys = b.apply("transpose", unit(b, k, "key"), name="k_last", dims=(-2, -1))
    scores = b.apply("matmul", unit(b, q, "query"), keys, name="scores")
    scale = b.apply("exp", b.apply("clamp", b.parameter("logit_scale", (heads, 1, 1)), name="clamped"), name="scale")
    scores = b.apply("mul", scores, scale, name="scaled")
    scores = b.apply("add", scores, pairs(b, heads, window), name="biased")
    if hidden is not None:
        scores = masked(b, scores, grid, window, hidden)
    weights = b.apply("softmax", scores, name="softmax")
    weights = dropped(b, "dropout", weights, config.attention_probs_dropout_prob, workload)
    return merge_heads(b, b.apply("matmul", weights, v, name="values"))


def unit(b: Builder, x: Value, label: str) -> Value:
    """Returns the vectors of x with length 1."""
    norms = b.apply("vector_norm", x, name=f"{label}_norms", dim=-1, keepdim=True)
    norms = b.apply(
        "expand", b.apply("clamp", norms, name=f"{label}_clamped"), name=f"{label}_each", shape=x.spec.shape
    )
    return b.apply("div", x, norms, name=f"{label}_unit")


def masked(b: Builder, scores: Value, grid: Grid, window: Dim, hidden: Value) -> Value:
    """Returns the scores with pairs hidden that lay apart; the library adds the mask twice."""
    windows, heads, count, _ = scores.spec.shape
    number = prod(floor_div(side, window) for side in padded_grid(grid, window))
    shape = (floor_div(windows, number), number, heads, count, count)
    scores = b.apply("reshape", scores, name="by_window", shape=shape)
    mask = b.apply("reshape", hidden, name="hidden", shape=(1, number, 1, count, count))
    for name in ("hidden_once", "hidden_twice"):
        scores = b.apply("add", scores, mask, name=name)
    return b.apply("reshape", scores, name="masked", shape=(windows, heads, count, count))


def pairs(b: Builder, heads: Dim, window: Dim) -> Value:
    """Returns a number for each pair of places in a window, (1, heads, window², window²), by a network of their
    distance."""
    count, span = window**2, 2 * window - 1
    table = b.apply("constant", name="relative_coords_table", shape=(1, span, span, 2), dtype=b.dtype)
    with b.scope("continuous_position_bias_mlp"):
        x = b.apply("relu", linear(b, "0", table, HIDDEN), name="1")
        x = linear(b, "2", x, heads, bias=False)
    x = b.apply("reshape", x, name="table", shape=(span**2, heads))
    places = b.apply("constant", name="relative_position_index", shape=(count**2,), dtype="int64")
    x = b.apply("index_select", x, places, name="read", dim=0)
    x = b.apply("reshape", x, name="pairs", shape=(count, count, heads))
    x = b.apply("contiguous", b.apply("permute", x, name="by_head", dims=(2, 0, 1)), name="copied")
    x = b.apply("scale", b.apply("sigmoid", x, name="sigmoid"), name="sixteen_times")
    return b.apply("reshape", x, name="bias", shape=(1, heads, count, count))


ARCHITECTURE = family(
    "swinv2",
    Swinv2Config,
    PresetFiles(__file__),
    "Swin V2: cosine attention in shifted windows, biased by a network of the distance.",
    ("eager",),
)
