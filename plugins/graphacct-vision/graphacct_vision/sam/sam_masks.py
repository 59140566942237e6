"""SAM's mask decoder: tokens and an image that read each other, and a mask of each token for masks.

Kirillov et al., 2023 (arXiv:2304.02643).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import layer_norm, linear

from graphacct import Builder, Dim, Value, Workload, exact_div, fields, floor_div, frozen
from graphacct_vision.convnets.convnext import norm_of_channels
from graphacct_vision.parts.layers import transposed

LAYER_RATE = 2
"""How many times narrower the heads of SAM's layers are; its file says it of the last attention alone."""


@frozen(kw_only=True)
class MaskConfig:
    """The mask decoder's keys."""

    model_type: Any = attrs.field(default=None)
    hidden_size: Dim = fields.size(256)
    hidden_act: str = activation("relu")
    mlp_dim: Dim = fields.size(2048)
    num_hidden_layers: int = fields.size(2)
    num_attention_heads: Dim = fields.size(8)
    attention_downsample_rate: Dim = fields.size(2)
    num_multimask_outputs: int = fields.size(3)
    iou_head_depth: int = fields.size(3)
    iou_head_hidden_dim: Dim = fields.size(256)


@frozen
class Naming:
    """How a decoder's layers differ from SAM's.

    Attributes:
        out: The name of attention's output projection.
        rate: How many times narrower the heads of the layers are; None for what the file says.
        deep: Whether a layer's network has as many linear layers as the decoder has layers.
        upcast: Whether written-out softmax runs in float32.
    """

    out: str = "out_proj"
    rate: Dim | None = LAYER_RATE
    deep: bool = False
    upcast: bool = True


SAM = Naming()


def decoded(
    config: MaskConfig, workload: Workload, b: Builder, image: Value, where: Value, sparse: Value, dense: Value
) -> tuple[Value, Value]:
    """Returns the quality of each mask and the masks."""
    count, width = config.num_multimask_outputs + 1, config.hidden_size
    own = {"iou_token": 1, "mask_tokens": count}
    tokens, x = both(SAM, config, workload, b, own, image, where, sparse, dense)
    x = enlarged(b, x)
    names = [f"output_hypernetworks_mlps.{index}" for index in range(count)]
    masks = drawn(b, rows_of(b, tokens, 1, names, width), x, "masks")
    quality = b.apply("select", tokens, name="quality_token", dim=2)
    with b.scope("iou_prediction_head"):
        scores = perceptron(b, quality, config.iou_head_hidden_dim, count, config.iou_head_depth)
    masks = b.apply("slice", masks, name="pred_masks", dim=2, start=1, length=count - 1)
    return b.apply("slice", scores, name="iou_scores", dim=2, start=1, length=count - 1), masks


def both(
    kind: Naming,
    config: MaskConfig,
    workload: Workload,
    b: Builder,
    own: dict[str, int],
    image: Value,
    where: Value,
    sparse: Value,
    dense: Value,
) -> tuple[Value, Value]:
    """Returns the tokens, the decoder's `own` before the prompt's, and the image's map, after they read each other."""
    batch, width, *sides = image.spec.shape
    total = sum(own.values())
    parts = [b.parameter(f"{name}.weight", (count, width)) for name, count in own.items()]
    tokens = b.apply("concat", *parts, name="own_tokens", dim=0)
    tokens = b.apply("reshape", tokens, name="own_rows", shape=(1, 1, total, width))
    tokens = b.apply("repeat", tokens, name="own_of_batch", times=(batch, 1, 1, 1))
    tokens = b.apply("concat", tokens, sparse, name="tokens", dim=2)
    image = b.apply("add", image, dense, name="with_prompt")
    image, where = (
        b.apply("clone", part, name=f"{word}_of_prompts") for part, word in ((image, "image"), (where, "where"))
    )
    keys, places = (
        b.apply(
            "reshape",
            b.apply(
                "transpose",
                b.apply("reshape", part, name=f"{word}_flat", shape=(batch, width, sides[0] * sides[1])),
                name=f"{word}_tokens",
                dims=(1, 2),
            ),
            name=f"{word}_by_prompt",
            shape=(batch, 1, sides[0] * sides[1], width),
        )
        for part, word in ((image, "image"), (where, "where"))
    )
    with b.scope("transformer"):
        tokens, keys = both_ways(kind, config, workload, b, tokens, keys, places)
    x = b.apply("transpose", keys, name="image_channels_first", dims=(2, 3))
    return tokens, b.apply("reshape", x, name="image_map", shape=(batch, width, *sides))


def enlarged(b: Builder, x: Value, sides: Sequence[Value] = ()) -> Value:
    """Returns a map four times as large with an eighth of the channels; maps of the image may be added after each
    step."""
    width = x.spec.shape[1]
    x = transposed(b, "upscale_conv1", x, exact_div(width, 4, "hidden_size / 4"), 2, stride=2)
    x = b.apply("add", x, sides[0], name="with_finer") if sides else x
    x = b.apply("gelu", norm_of_channels(b, "upscale_layer_norm", x), name="upscaled_once")
    x = transposed(b, "upscale_conv2", x, exact_div(width, 8, "hidden_size / 8"), 2, stride=2)
    x = b.apply("add", x, sides[1], name="with_finest") if sides else x
    return b.apply("gelu", x, name="upscaled")


def rows_of(b: Builder, tokens: Value, first: int, names: Sequence[str], width: Dim) -> Value:
    """Returns the weights of the masks that tokens make from the `first` on, each by a network of its name."""
    batch, made = tokens.spec.shape[0], []
    for index, name in enumerate(names):
        token = b.apply("select", tokens, name=f"mask_token_{index}", dim=2, index=index + first)
        with b.scope(name):
            y = perceptron(b, token, width, exact_div(width, 8, "hidden_size / 8"), 3)
        made.append(b.apply("reshape", y, name=f"mask_row_{index}", shape=(batch, 1, 1, y.spec.shape[-1])))
    return b.apply("concat", *made, name="mask_rows", dim=2)


def drawn(b: Builder, rows: Value, x: Value, name: str) -> Value:
    """Returns a mask of each row of weights, (batch, 1, masks, rows, columns)."""
    batch, channels, *places = x.spec.shape
    x = b.apply("reshape", x, name=f"{name}_pixels", shape=(batch, 1, channels, places[0] * places[1]))
    masks = b.apply("matmul", rows, x, name=f"{name}_flat")
    return b.apply("reshape", masks, name=name, shape=(batch, 1, rows.spec.shape[2], *places))


def perceptron(b: Builder, x: Value, hidden: Dim, out: Dim, layers: int, act: str = "relu") -> Value:
    """Returns x after linear layers with an activation between."""
    x = activated(b, act, linear(b, "proj_in", x, hidden), "activation_in")
    for index in range(layers - 2):
        x = activated(b, act, linear(b, f"layers.{index}", x, hidden), f"activation_{index}")
    return linear(b, "proj_out", x, out)


def both_ways(
    kind: Naming, config: MaskConfig, workload: Workload, b: Builder, tokens: Value, keys: Value, places: Value
) -> tuple[Value, Value]:
    """Returns tokens and image after layers in which each reads the other."""
    points, queries = tokens, tokens
    reads = partial(attention, kind, config, workload, b)
    rate = config.attention_downsample_rate if kind.rate is None else kind.rate
    for index in range(config.num_hidden_layers):
        with b.scope(f"layers.{index}"):
            if index == 0:
                queries = reads("self_attn", queries, queries, queries, 1)
            else:
                query = b.apply("add", queries, points, name="self_placed")
                read = reads("self_attn", query, query, queries, 1)
                queries = b.apply("add", queries, read, name="self_residual")
            queries = layer_norm(b, "layer_norm1", queries)
            query = b.apply("add", queries, points, name="tokens_placed")
            key = b.apply("add", keys, places, name="image_placed")
            read = reads("cross_attn_token_to_image", query, key, keys, rate)
            queries = layer_norm(b, "layer_norm2", b.apply("add", queries, read, name="image_read"))
            with b.scope("mlp"):
                y = network(kind, config, b, queries)
            queries = layer_norm(b, "layer_norm3", b.apply("add", queries, y, name="mlp_residual"))
            query = b.apply("add", queries, points, name="tokens_placed_again")
            key = b.apply("add", keys, places, name="image_placed_again")
            read = reads("cross_attn_image_to_token", key, query, queries, rate)
            keys = layer_norm(b, "layer_norm4", b.apply("add", keys, read, name="tokens_read"))
    query = b.apply("add", queries, points, name="tokens_placed")
    key = b.apply("add", keys, places, name="image_placed")
    read = reads("final_attn_token_to_image", query, key, keys, config.attention_downsample_rate)
    queries = b.apply("add", queries, read, name="image_read")
    return layer_norm(b, "layer_norm_final_attn", queries), keys


def network(kind: Naming, config: MaskConfig, b: Builder, x: Value) -> Value:
    """Returns the output of a layer's network."""
    if kind.deep:
        return perceptron(b, x, config.mlp_dim, config.hidden_size, config.num_hidden_layers)
    y = activated(b, ACTIVATIONS[config.hidden_act], linear(b, "lin1", x, config.mlp_dim))
    return linear(b, "lin2", y, config.hidden_size)


def attention(
    kind: Naming,
    config: MaskConfig,
    workload: Workload,
    b: Builder,
    name: str,
    query: Value,
    key: Value,
    value: Value,
    rate: Dim,
) -> Value:
    """Returns what queries (batch, 1, tokens, width) read, through heads that are narrower by a rate."""
    batch, heads, width = query.spec.shape[0], config.num_attention_heads, config.hidden_size
    inner = floor_div(width, rate)
    d_head = exact_div(inner, heads, "hidden_size / attention_downsample_rate / num_attention_heads")
    with b.scope(name):
        parts = []
        for label, x in (("q", query), ("k", key), ("v", value)):
            y = linear(b, f"{label}_proj", x, inner)
            y = b.apply("reshape", y, name=f"{label}_heads", shape=(batch, x.spec.shape[2], heads, d_head))
            parts.append(b.apply("transpose", y, name=f"{label}_transposed", dims=(1, 2)))
        q, k, v = parts
        b.hold(q, k, v)
        if workload.attention == "fused":
            y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa")
        else:
            scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
            scores = b.apply("scale", scores, name="scale")
            wide: dict[str, Any] = {"dtype": "float32"} if b.dtype != "float32" and kind.upcast else {}
            weights = b.apply("softmax", scores, name="softmax", **wide)
            weights = b.apply("cast", weights, name="weights", dtype=b.dtype) if wide else weights
            y = b.apply("matmul", weights, v, name="values")
        y = b.apply("transpose", y, name="heads_last", dims=(1, 2))
        y = b.apply("reshape", y, name="merged", shape=(batch, 1, query.spec.shape[2], inner))
        return linear(b, kind.out, y, width)
