"""ViTDet: a ViT of windows as a backbone of detection (Li et al., 2022, arXiv:2203.16527)."""

from __future__ import annotations

from math import isqrt
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import drop_path, dropped, layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import patch_count

from graphacct import (
    Architecture,
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
)
from graphacct_vision.parts import far
from graphacct_vision.parts.backbones import ALIASES, Backbone
from graphacct_vision.parts.layers import convolution
from graphacct_vision.parts.lists import indices

CLASSES = ("VitDetModel", "VitDetBackbone")


@frozen(kw_only=True)
class VitDetConfig(Backbone):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: int = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    mlp_ratio: Dim = fields.size(4)
    dropout_prob: float = fields.probability(0.0)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    pretrain_image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: tuple[Dim, Dim] = fields.sides(16)
    qkv_bias: bool = fields.flag(True)
    drop_path_rate: float = fields.probability(0.0)
    window_block_indices: tuple[int, ...] = indices()
    residual_block_indices: tuple[int, ...] = indices()
    use_absolute_position_embeddings: bool = fields.flag(True)
    use_relative_position_embeddings: bool = fields.flag(False)
    window_size: Dim = fields.size(0, minimum=0)

    def __attrs_post_init__(self) -> None:
        if type(self.num_hidden_layers) is not int:
            raise ConfigError("num_hidden_layers must be a number: layers of a window and of the whole image differ")


def build(config: VitDetConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to the last layer's map, or to maps of stages."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    with b.scope("embeddings"):
        x = embedded(config, b, pixels)
    found = [x]
    with b.scope("encoder.layer"):
        for index in range(config.num_hidden_layers):
            with b.scope(str(index)):
                x = layer(config, workload, index, b, x)
            found.append(x)
    if config.architectures == CLASSES[0]:
        return x
    return tuple(found[place] for place in config.handed_on(config.num_hidden_layers))


def embedded(config: Any, b: Builder, pixels: Value) -> Value:
    """Returns the map of an image's patches with their positions, resized from those of the first training."""
    width = config.hidden_size
    x = convolution(b, "projection", pixels, width, config.patch_size, stride=config.patch_size, bias=True)
    if not config.use_absolute_position_embeddings:
        return x
    count = patch_count(config.pretrain_image_size, config.patch_size)
    if type(count) is not int or isqrt(count) ** 2 != count:
        raise ConfigError(f"pretrain_image_size has {count} patches, which are no square to be resized")
    side, (rows, columns) = isqrt(count), x.spec.shape[2:]
    table = b.parameter("position_embeddings", (1, count + 1, width))
    own: Any = b.apply("slice", table, name="positions_of_patches", dim=1, start=1, length=count)
    if (rows, columns) != (side, side):
        own = b.apply("reshape", own, name="positions_by_place", shape=(1, side, side, width))
        own = b.apply("permute", own, name="positions_channels_first", dims=(0, 3, 1, 2))
        own = b.apply("upsample_bicubic", own, name="positions_resized", size=(rows, columns))
        own = b.apply("permute", own, name="positions_channels_last", dims=(0, 2, 3, 1))
    else:
        own = b.apply("reshape", own, name="positions_by_place", shape=(1, rows, columns, width))
    x = b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1))
    x = b.apply("add", x, own, name="with_positions")
    return b.apply("permute", x, name="channels_first", dims=(0, 3, 1, 2))


def layer(config: VitDetConfig, workload: Workload, index: int, b: Builder, x: Value) -> Value:
    """Returns a map (batch, width, rows, columns) after a layer, which sees windows or the whole."""
    window: Any = config.window_size if index in config.window_block_indices else 0
    rate = config.drop_path_rate if index else 0.0  # it grows from 0
    grid = tuple(floor_div(side, step) for side, step in zip(config.image_size, config.patch_size, strict=True))
    learned: Any = (window, window) if window else grid
    b.hold(x)
    x = b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1))
    batch, rows, columns, width = x.spec.shape
    y = layer_norm(b, "norm1", x)
    y = far.into(b, y, window) if window else y
    with b.scope("attention"):
        y = far.attention(
            b,
            workload,
            y,
            config.num_attention_heads,
            bias=config.qkv_bias,
            learned=learned if config.use_relative_position_embeddings else None,
            always=False,
            upcast=False,
        )
    y = far.out_of(b, y, batch, (rows, columns), window) if window else y
    x = b.apply("add", x, drop_path(b, "attn_drop_path", y, rate, workload), name="attn_residual")
    y = layer_norm(b, "norm2", x)
    with b.scope("mlp"):
        y = linear(b, "fc1", y, config.mlp_ratio * width)
        y = activated(b, ACTIVATIONS[config.hidden_act], y)
        y = dropped(b, "drop", y, config.dropout_prob, workload)
        y = dropped(b, "drop_again", linear(b, "fc2", y, width), config.dropout_prob, workload)
    x = b.apply("add", x, drop_path(b, "mlp_drop_path", y, rate, workload), name="mlp_residual")
    x = b.apply("permute", x, name="channels_first", dims=(0, 3, 1, 2))
    if index not in config.residual_block_indices:
        return x
    with b.scope("residual"):
        return bottleneck(config, b, x)


def bottleneck(config: VitDetConfig, b: Builder, x: Value) -> Value:
    """Returns x with convolutions 1x1, 3x3 and 1x1 of it added, each normalized over its channels."""
    width = x.spec.shape[1]
    half = exact_div(width, 2, "hidden_size / 2")
    y = x
    for place, (channels, kernel) in enumerate(((half, 1), (half, 3), (width, 1)), 1):
        y = convolution(b, f"conv{place}", y, channels, kernel, padding=kernel // 2)
        with b.scope(f"norm{place}"):
            y = normed(b, y)
        if place < 3:
            y = activated(b, ACTIVATIONS[config.hidden_act], y, f"act{place}")
    return b.apply("add", x, y, name="added")


def normed(b: Builder, x: Value) -> Value:
    """Returns x normalized over its channels, step by step; the builder is in the norm's scope."""
    width = x.spec.shape[1]
    centred = b.apply("sub", x, b.apply("mean", x, name="mean", dim=1, keepdim=True), name="centred")
    spread = b.apply("mean", b.apply("pow", centred, name="squares", exponent=2), name="variance", dim=1, keepdim=True)
    spread = b.apply("sqrt", b.apply("shift", spread, name="above_zero"), name="spread")
    x = b.apply("div", centred, spread, name="normalized")
    weight, bias = (
        b.apply("reshape", b.parameter(part, (width,)), name=f"{part}_of_channels", shape=(width, 1, 1))
        for part in ("weight", "bias")
    )
    found: Value = b.apply("add", b.apply("mul", weight, x, name="scaled"), bias, name="shifted")
    return found


ARCHITECTURE = Architecture(
    "vitdet",
    VitDetConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases=ALIASES,
    model_types=("vitdet",),
    losses=SUM_ALONE,
    doc="ViTDet: a ViT of windows as a backbone of detection.",
)
