"""SAM 3's ViT: windows whose queries and keys are rotated by row and column, and positions that are tiled.

Carion et al., 2025 (arXiv:2511.16719).
"""

from __future__ import annotations

from math import isqrt
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders import Mlp, rope_parameters
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear, merge_heads, split_heads
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, attended, patch_count, patches

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
    frozen,
    has_value,
)
from graphacct_vision.parts import far
from graphacct_vision.parts.lists import naturals

CLASSES = ("Sam3ViTModel",)
NO_COST = {"layer_scale_init_value": None}
WHOLE = (7, 15, 23, 31)
"""The layers that see the whole image where a file names none."""
NO_MLP = Mlp(1, "relu")


@frozen(kw_only=True)
class ViTKeys:
    """The keys of the published config.json that the cost depends on."""

    hidden_size: Dim = fields.size(1024)
    intermediate_size: Dim = fields.size(4736)
    num_hidden_layers: int = fields.size(32)
    num_attention_heads: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(1008)
    patch_size: Dim = fields.size(14)
    hidden_act: str = activation("gelu")
    attention_dropout: float = fields.probability(0.0)
    hidden_dropout: float = fields.probability(0.0)
    window_size: Dim = fields.size(24, minimum=0)
    global_attn_indexes: tuple[int, ...] | None = naturals(None, optional=True)
    pretrain_image_size: tuple[Dim, Dim] = fields.sides(336)
    rope_parameters: Any = rope_parameters(kinds=("axial",))

    def __attrs_post_init__(self) -> None:
        if type(self.num_hidden_layers) is not int:
            raise ConfigError("num_hidden_layers must be a number: layers of a window and of the whole image differ")

    @property
    def patch(self) -> tuple[Dim, Dim]:
        """Both sides of a patch."""
        return self.patch_size, self.patch_size


@frozen(kw_only=True)
class Sam3ViTConfig(ViTKeys):
    """The keys of the encoder alone, and its class."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    dtype: str | None = fields.dtype()


def build(config: Sam3ViTConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to the tokens, (batch, patches, width)."""
    x = encoded(config, workload, b)
    batch, rows, columns, width = x.spec.shape
    return b.apply("reshape", x, name="tokens", shape=(batch, rows * columns, width))


def encoded(config: ViTKeys, workload: Workload, b: Builder) -> Value:
    """Returns the map of the patches after all layers, (batch, rows, columns, width)."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    grid = tuple(floor_div(side, config.patch_size) for side in workload.image_size)
    learned = tuple(floor_div(side, config.patch_size) for side in reversed(config.image_size))
    whole = [index for index in range(config.num_hidden_layers) if windowless(config, index)]
    if whole and all(has_value(side) for side in (*grid, *learned)) and grid[0] * grid[1] != learned[0] * learned[1]:
        raise ConfigError(
            f"the image has {grid[0]}x{grid[1]} patches, but layers of the whole image rotate "
            f"{learned[0]}x{learned[1]}: take the image_size of the file"
        )
    with b.scope("embeddings"):
        with b.scope("patch_embeddings"):
            x = patches(b, "projection", pixels, config.hidden_size, config.patch, bias=False)
        x = b.apply("add", x, tiled(config, b, grid), name="with_positions")
        x = dropped(b, "dropout", x, config.hidden_dropout, workload)
    x = b.apply("reshape", x, name="map", shape=(workload.batch, *grid, config.hidden_size))
    x = layer_norm(b, "layer_norm", x)
    for index in range(config.num_hidden_layers):
        with b.scope(f"layers.{index}"):
            x = layer(config, workload, index, b, x)
    return x


def windowless(config: ViTKeys, index: int) -> bool:
    """Whether a layer sees the whole image."""
    seeing = WHOLE if config.global_attn_indexes is None else config.global_attn_indexes
    return equal(config.window_size, 0) or index in seeing


def tiled(config: ViTKeys, b: Builder, grid: tuple[Dim, ...]) -> Value:
    """Returns the positions of the first training's patches, repeated along both axes and cut to a grid."""
    count = patch_count(config.pretrain_image_size, config.patch)
    table = b.parameter("position_embeddings", (1, count, config.hidden_size))
    if type(count) is not int or any(type(side) is not int for side in grid):
        raise ConfigError("positions are tiled over the image: give image_size in numbers")
    side, width = isqrt(count), config.hidden_size
    if grid == (side, side):
        return b.apply("reshape", table, name="positions", shape=(1, count, width))
    if side**2 != count:
        raise ConfigError(f"pretrain_image_size has {count} patches, which are no square to be tiled")
    x = b.apply("reshape", table, name="positions_by_place", shape=(1, side, side, width))
    x = b.apply("permute", x, name="positions_channels_first", dims=(0, 3, 1, 2))
    times: Any = tuple(floor_div(one, side) + 1 for one in grid)
    x = b.apply("repeat", x, name="positions_tiled", times=(1, 1, *times))
    for dim, one in enumerate(grid, 2):
        x = b.apply("slice", x, name=f"positions_cut_{dim}", dim=dim, start=0, length=one)
    x = b.apply("permute", x, name="positions_channels_last", dims=(0, 2, 3, 1))
    return b.apply("reshape", x, name="positions", shape=(1, grid[0] * grid[1], width))


def layer(config: ViTKeys, workload: Workload, index: int, b: Builder, x: Value) -> Value:
    """Returns a map (batch, rows, columns, width) after a layer, which sees windows or the whole."""
    b.hold(x)
    batch, rows, columns, width = x.spec.shape
    y = layer_norm(b, "layer_norm1", x)
    window = not windowless(config, index)
    y = far.into(b, y, config.window_size) if window else y
    with b.scope("attention"):
        y = attention(config, workload, b, y)
    y = far.out_of(b, y, batch, (rows, columns), config.window_size) if window else y
    x = b.apply("add", x, y, name="attn_residual")
    y = layer_norm(b, "layer_norm2", x)
    with b.scope("mlp"):
        y = dropped(b, "dropout", linear(b, "fc1", y, config.intermediate_size), config.hidden_dropout, workload)
        y = linear(b, "fc2", activated(b, ACTIVATIONS[config.hidden_act], y, "activation_fn"), width)
    y = dropped(b, "dropout", y, config.hidden_dropout, workload)
    return b.apply("add", x, y, name="mlp_residual")


def attention(config: ViTKeys, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns attention among the places of maps (batch, rows, columns, width), rotated; the builder is in its
    scope."""
    batch, rows, columns, width = x.spec.shape
    heads, count = config.num_attention_heads, rows * columns
    d_head = exact_div(width, heads, "hidden_size / num_attention_heads")
    turns = [b.apply("constant", name=word, shape=(count, d_head), dtype="float32") for word in ("cos", "sin")]
    parts = {}
    for label in "qkv":
        y = b.apply("reshape", linear(b, f"{label}_proj", x, width), name=f"{label}_rows", shape=(batch, count, width))
        parts[label] = split_heads(b, y, heads, d_head, label)
    for label in "qk":
        y = b.apply("rotary_embedding", parts[label], *turns, name=f"{label}_rope", composed=True)
        y = y if y.spec.dtype == b.dtype else b.apply("cast", y, name=f"{label}_narrowed", dtype=b.dtype)
        parts[label] = y
    b.hold(*parts.values())
    kind = Tower(
        1, heads, NO_MLP, "", "", "", ("", ""), attention_dropout=config.attention_dropout, softmax_upcast=False
    )
    q, k, v = parts.values()
    y, _ = attended(kind, workload, b, q, k, v, None)
    y = b.apply("reshape", merge_heads(b, y), name="by_place", shape=(batch, rows, columns, width))
    return linear(b, "o_proj", y, width)


ARCHITECTURE = Architecture(
    "sam3_vit_model",
    Sam3ViTConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=NO_COST,
    model_types=("sam3_vit_model",),
    losses=SUM_ALONE,
    doc="SAM 3's ViT: windows whose queries and keys are rotated by row and column.",
)
