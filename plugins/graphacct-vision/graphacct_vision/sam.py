"""SAM: masks of what points of an image show (Kirillov et al., 2023, arXiv:2304.02643).

A prompt is one set of points for each image; --points says how many. There are neither boxes nor masks in it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import layer_norm, linear, resident
from graphacct_architectures.losses import SUM_ALONE

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    exact_div,
    fields,
    floor_div,
)
from graphacct_vision.convnext import norm_of_channels
from graphacct_vision.layers import transposed
from graphacct_vision.sam_vision import VisionKeys, encoded

CLASSES = ("SamModel",)
LAYER_RATE = 2
"""How many times narrower the heads of the layers are; the file says it of the last attention alone."""


@attrs.frozen(kw_only=True)
class InnerVision(VisionKeys):
    """The image encoder's keys inside the whole model."""

    model_type: str = fields.choice("sam_vision_model", ("sam_vision_model", "sam_vision", ""))


@attrs.frozen(kw_only=True)
class PromptConfig:
    """The prompt encoder's keys."""

    model_type: Any = attrs.field(default=None)
    hidden_size: Dim = fields.size(256)
    image_size: Dim = fields.size(1024)
    patch_size: Dim = fields.size(16)
    mask_input_channels: Dim = fields.size(16)
    num_point_embeddings: int = fields.size(4)
    hidden_act: str = activation("gelu")


@attrs.frozen(kw_only=True)
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


@attrs.frozen(kw_only=True)
class SamConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: InnerVision | None = fields.nested(InnerVision, "SAM")
    prompt_encoder_config: PromptConfig | None = fields.nested(PromptConfig, "SAM")
    mask_decoder_config: MaskConfig | None = fields.nested(MaskConfig, "SAM")
    dtype: str | None = fields.dtype()

    @property
    def vision(self) -> InnerVision:
        """The image encoder."""
        return self.vision_config or InnerVision()

    @property
    def prompt(self) -> PromptConfig:
        """The prompt encoder."""
        return self.prompt_encoder_config or PromptConfig()

    @property
    def masks(self) -> MaskConfig:
        """The mask decoder."""
        return self.mask_decoder_config or MaskConfig()

    def __attrs_post_init__(self) -> None:
        widths = {self.vision.output_channels, self.prompt.hidden_size, self.masks.hidden_size}
        widths |= {2 * self.vision.num_pos_feats}
        if len(widths) != 1:
            raise ConfigError(
                "output_channels, twice num_pos_feats and both hidden_size are one width, not "
                f"{sorted(map(str, widths))}"
            )
        if self.prompt.num_point_embeddings < 2:
            raise ConfigError("num_point_embeddings is at least 2: for what is shown and for what is not")
        sides = (floor_div(self.prompt.image_size, self.prompt.patch_size), self.vision.side)
        if not equal(*sides):
            raise ConfigError(
                f"the prompt encoder's image has {sides[0]} patches a side, the image encoder's {sides[1]}"
            )


def build(config: SamConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels and points to the quality of masks and the masks, (batch, 1, masks, …)."""
    assert workload.points is not None  # the architecture declares its default
    batch, side, width = workload.batch, config.vision.side, config.prompt.hidden_size
    rates = b.parameter("shared_image_embedding.positional_embedding", (2, config.vision.num_pos_feats))
    with b.scope("shared_image_embedding"):
        where = everywhere(b, side)
        where = waves(b, where, rates)
        where = b.apply("permute", where, name="channels_first", dims=(2, 0, 1))
        where = b.apply("reshape", where, name="of_image", shape=(1, width, side, side))
        where = b.apply("repeat", where, name="of_batch", times=(batch, 1, 1, 1))
    with b.scope("vision_encoder"):
        image = encoded(config.vision, workload, b, "vision_config.image_size")
    with b.scope("prompt_encoder"):
        sparse, dense = prompted(config, workload, b, workload.points)
    with b.scope("mask_decoder"):
        return decoded(config.masks, workload, b, image, where, sparse, dense)


def everywhere(b: Builder, side: Dim) -> Value:
    """Returns the places of a square, (side, side, 2), from 0 to 1."""
    ones = b.apply("full", name="ones", shape=(side, side), dtype=b.dtype)
    parts = []
    for word, dim in (("x", 1), ("y", 0)):
        x = b.apply("shift", b.apply("cumsum", ones, name=word, dim=dim), name=f"{word}_middle")
        x = b.apply("scale", x, name=f"{word}_relative")
        parts.append(b.apply("reshape", x, name=f"{word}_column", shape=(side, side, 1)))
    return b.apply("concat", *parts, name="places", dim=-1)


def waves(b: Builder, x: Value, rates: Any) -> Value:
    """Returns sines and cosines of places (…, 2) at learned rates."""
    x = b.apply("shift", b.apply("scale", x, name="doubled"), name="centred")
    x = b.apply("matmul", x, rates, name="angles")
    x = b.apply("scale", x, name="in_circles")
    parts = (b.apply("sin", x, name="sin"), b.apply("cos", x, name="cos"))
    found: Value = b.apply("concat", *parts, name="waves", dim=-1)
    return found


def prompted(config: SamConfig, workload: Workload, b: Builder, points: Dim) -> tuple[Value, Value]:
    """Returns the tokens of the points, with one for none, and the map of a prompt without a mask."""
    batch, width = workload.batch, config.prompt.hidden_size
    shape = (batch, 1, points + 1)
    given = b.input("input_points", (batch, 1, points, 2))
    x = b.apply("shift", given, name="middle_of_pixel")
    none = b.apply("full", name="no_point", shape=(batch, 1, 1, 2), dtype=b.dtype)
    x = b.apply("concat", x, none, name="points", dim=2)
    labels = b.input("input_labels", (batch, 1, points), "int32")
    labels = b.apply("cast", labels, name="labels_cast", dtype=b.dtype)
    rest = b.apply("full", name="no_label", shape=(batch, 1, 1), dtype=b.dtype)
    labels = b.apply("concat", labels, rest, name="labels", dim=2)
    own = b.parameter(
        "shared_embedding.positional_embedding",
        (2, config.vision.num_pos_feats),
        tied_to="shared_image_embedding.positional_embedding",
    )
    with b.scope("shared_embedding"):
        x = b.apply("scale", x, name="relative")
        x = waves(b, x, own)
    column = b.apply("reshape", labels, name="label_column", shape=(*shape, 1))
    for word, kind, name in (
        ("none", "eq", "not_a_point_embed"),
        ("hidden", "ne", ""),
        ("outside", "eq", "point_embed.0"),
        ("inside", "eq", "point_embed.1"),
    ):
        value = b.apply("full", name=f"{word}_label", shape=(), dtype=b.dtype)
        chosen = b.apply(kind, column, value, name=f"is_{word}")
        if not name:
            zeros = b.apply("full", name="zeros", shape=x.spec.shape, dtype=b.dtype)
            x = b.apply("where", chosen, x, zeros, name="shown")
            continue
        row = b.apply("reshape", b.parameter(f"{name}.weight", (1, width)), name=f"{word}_row", shape=(1, 1, 1, width))
        other = row if word == "none" else b.apply("add", x, row, name=f"{word}_added")
        x = b.apply("where", chosen, other, x, name=f"with_{word}")
    for index in range(2, config.prompt.num_point_embeddings):  # of boxes
        resident(b, f"point_embed.{index}", b.parameter(f"point_embed.{index}.weight", (1, width)))
    unread_masks(config.prompt, b)
    row = b.parameter("no_mask_embed.weight", (1, width))
    dense = b.apply("reshape", row, name="no_mask_row", shape=(1, width, 1, 1))
    side = config.vision.side
    return x, b.apply("expand", dense, name="no_mask", shape=(batch, width, side, side))


def unread_masks(config: PromptConfig, b: Builder) -> None:
    """Adds what would read a mask, which no prompt has here."""
    narrow = exact_div(config.mask_input_channels, 4, "mask_input_channels / 4")
    wide = config.mask_input_channels
    shapes = {"conv1": (narrow, 1, 2, 2), "conv2": (wide, narrow, 2, 2), "conv3": (config.hidden_size, wide, 1, 1)}
    with b.scope("mask_embed"):
        for name, shape in (*shapes.items(), ("layer_norm1", (narrow,)), ("layer_norm2", (4 * narrow,))):
            resident(b, name, b.parameter(f"{name}.weight", shape), b.parameter(f"{name}.bias", shape[:1]))


def decoded(
    config: MaskConfig, workload: Workload, b: Builder, image: Value, where: Value, sparse: Value, dense: Value
) -> tuple[Value, Value]:
    """Returns the quality of each mask and the masks."""
    batch, width, *sides = image.spec.shape
    count = config.num_multimask_outputs + 1
    own = [b.parameter("iou_token.weight", (1, width)), b.parameter("mask_tokens.weight", (count, width))]
    tokens = b.apply("concat", *own, name="own_tokens", dim=0)
    tokens = b.apply("reshape", tokens, name="own_rows", shape=(1, 1, count + 1, width))
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
        tokens, keys = both_ways(config, workload, b, tokens, keys, places)
    quality = b.apply("select", tokens, name="quality_token", dim=2)
    x = b.apply("transpose", keys, name="image_channels_first", dims=(2, 3))
    x = b.apply("reshape", x, name="image_map", shape=(batch, width, *sides))
    x = transposed(b, "upscale_conv1", x, exact_div(width, 4, "hidden_size / 4"), 2, stride=2)
    x = b.apply("gelu", norm_of_channels(b, "upscale_layer_norm", x), name="upscaled_once")
    x = transposed(b, "upscale_conv2", x, exact_div(width, 8, "hidden_size / 8"), 2, stride=2)
    x = b.apply("gelu", x, name="upscaled")
    made = []
    for index in range(count):
        token = b.apply("select", tokens, name=f"mask_token_{index}", dim=2, index=index + 1)
        with b.scope(f"output_hypernetworks_mlps.{index}"):
            y = perceptron(b, token, width, exact_div(width, 8, "hidden_size / 8"), 3)
        made.append(b.apply("reshape", y, name=f"mask_row_{index}", shape=(batch, 1, 1, y.spec.shape[-1])))
    rows = b.apply("concat", *made, name="mask_rows", dim=2)
    _, channels, *places_up = x.spec.shape
    x = b.apply("reshape", x, name="upscaled_flat", shape=(batch, 1, channels, places_up[0] * places_up[1]))
    masks = b.apply("matmul", rows, x, name="masks_flat")
    masks = b.apply("reshape", masks, name="masks", shape=(batch, 1, count, *places_up))
    with b.scope("iou_prediction_head"):
        scores = perceptron(b, quality, config.iou_head_hidden_dim, count, config.iou_head_depth)
    masks = b.apply("slice", masks, name="pred_masks", dim=2, start=1, length=count - 1)
    return b.apply("slice", scores, name="iou_scores", dim=2, start=1, length=count - 1), masks


def perceptron(b: Builder, x: Value, hidden: Dim, out: Dim, layers: int) -> Value:
    """Returns x after linear layers with a ReLU between."""
    x = b.apply("relu", linear(b, "proj_in", x, hidden), name="activation_in")
    for index in range(layers - 2):
        x = b.apply("relu", linear(b, f"layers.{index}", x, hidden), name=f"activation_{index}")
    return linear(b, "proj_out", x, out)


def both_ways(
    config: MaskConfig, workload: Workload, b: Builder, tokens: Value, keys: Value, places: Value
) -> tuple[Value, Value]:
    """Returns tokens and image after layers in which each reads the other."""
    points, queries = tokens, tokens
    reads = partial(attention, config, workload, b)
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
            read = reads("cross_attn_token_to_image", query, key, keys, LAYER_RATE)
            queries = layer_norm(b, "layer_norm2", b.apply("add", queries, read, name="image_read"))
            with b.scope("mlp"):
                y = activated(b, ACTIVATIONS[config.hidden_act], linear(b, "lin1", queries, config.mlp_dim))
                y = linear(b, "lin2", y, config.hidden_size)
            queries = layer_norm(b, "layer_norm3", b.apply("add", queries, y, name="mlp_residual"))
            query = b.apply("add", queries, points, name="tokens_placed_again")
            key = b.apply("add", keys, places, name="image_placed_again")
            read = reads("cross_attn_image_to_token", key, query, queries, LAYER_RATE)
            keys = layer_norm(b, "layer_norm4", b.apply("add", keys, read, name="tokens_read"))
    query = b.apply("add", queries, points, name="tokens_placed")
    key = b.apply("add", keys, places, name="image_placed")
    read = reads("final_attn_token_to_image", query, key, keys, config.attention_downsample_rate)
    queries = b.apply("add", queries, read, name="image_read")
    return layer_norm(b, "layer_norm_final_attn", queries), keys


def attention(
    config: MaskConfig, workload: Workload, b: Builder, name: str, query: Value, key: Value, value: Value, rate: Dim
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
            wide: dict[str, Any] = {"dtype": "float32"} if b.dtype != "float32" else {}
            weights = b.apply("softmax", scores, name="softmax", **wide)
            weights = b.apply("cast", weights, name="weights", dtype=b.dtype) if wide else weights
            y = b.apply("matmul", weights, v, name="values")
        y = b.apply("transpose", y, name="heads_last", dims=(1, 2))
        y = b.apply("reshape", y, name="merged", shape=(batch, 1, query.spec.shape[2], inner))
        return linear(b, "out_proj", y, width)


ARCHITECTURE = Architecture(
    "sam",
    SamConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "image_size": lambda config: (config.vision.image_size, config.vision.image_size),
        "points": lambda config: 1,
    },
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    model_types=("sam",),
    losses=SUM_ALONE,
    doc="SAM: masks of what points of an image show: a ViT of windows, and a decoder that reads both ways.",
)
