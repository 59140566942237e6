"""Hiera: attention in units of a masked image, whose queries are pooled between stages (Ryali et al., 2023,
arXiv:2306.00989)."""

from __future__ import annotations

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import drop_path, layer_norm, linear
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if
from graphacct_architectures.tower import check_image

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    DeclinedError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    exact_div,
    fields,
    frozen,
)
from graphacct_vision.parts.backbones import ALIASES, Backbone
from graphacct_vision.parts.layers import convolution
from graphacct_vision.parts.lists import check_stages, flags
from graphacct_vision.parts.windows import Grid, ratio, times

KINDS = ("Model", "ForImageClassification", "Backbone", "ForPreTraining")
CLASSES = tuple(f"Hiera{kind}" for kind in KINDS)


@frozen(kw_only=True)
class HieraConfig(Backbone):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    embed_dim: int = fields.size(96)
    image_size: tuple[int, int] = fields.sides(224)
    patch_size: tuple[int, int] = fields.sides(7)
    patch_stride: tuple[int, int] = fields.sides(4)
    patch_padding: tuple[int, int] = fields.sides(3)
    mlp_ratio: float = ratio(4.0)
    depths: tuple[int, ...] = fields.counts((2, 3, 16, 3))
    num_heads: tuple[int, ...] = fields.counts((1, 2, 4, 8))
    embed_dim_multiplier: float = ratio(2.0)
    num_query_pool: int = fields.size(3, minimum=0)
    query_stride: tuple[int, int] = fields.sides(2)
    masked_unit_size: tuple[int, int] = fields.sides(8)
    masked_unit_attention: tuple[bool, ...] = flags((True, True, False, False))
    drop_path_rate: float = fields.probability(0.0)

    def __attrs_post_init__(self) -> None:
        check_stages(len(self.depths), num_heads=self.num_heads, masked_unit_attention=self.masked_unit_attention)
        if self.num_query_pool >= len(self.depths):
            raise ConfigError(f"num_query_pool is {self.num_query_pool}, but depths has {len(self.depths)} stages")
        step = self.query_stride[0] ** (len(self.depths) - 1)
        exact_div(self.masked_unit_size[0], step, "masked_unit_size / query_stride ** (stages - 1)")
        if self.architectures.endswith(KINDS[3]):
            raise DeclinedError(f"architectures has {self.architectures!r}, which is not modelled: it masks by chance")

    def width(self, stage: int) -> int:
        """Returns the channels of a stage."""
        return int(self.embed_dim * self.embed_dim_multiplier**stage)

    @property
    def grid(self) -> tuple[int, int]:
        """The rows and columns of patches."""
        rows, columns = (side // step for side, step in zip(self.image_size, self.patch_stride, strict=True))
        return rows, columns


def build(config: HieraConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, to the last stage's tokens and their mean, or to maps of stages."""
    check_entropy(config.labelled, workload, config.architectures)
    image = check_image(workload.image_size, config.image_size)
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *image))
    if config.architectures.endswith("Backbone"):
        return maps(config, workload, b, pixels)
    if config.architectures.endswith("Model"):
        return encoded(config, workload, b, pixels)
    with b.scope("hiera"):
        _, x = encoded(config, workload, b, pixels)
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def encoded(config: HieraConfig, workload: Workload, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns the last stage's tokens, and their normalized mean."""
    x = stages(config, workload, b, unrolled(config, b, embedded(config, b, x)))[-1]
    return x, layer_norm(b, "pooler.layernorm", b.apply("mean", x, name="pooler.pooler", dim=1))


def maps(config: HieraConfig, workload: Workload, b: Builder, x: Value) -> tuple[Value, ...]:
    """Returns the normalized stages that a backbone hands on. (Its tokens are not in the order of units.)"""
    places = config.handed_on(len(config.depths))
    found = stages(config, workload, b, embedded(config, b, x))
    names = ["stem", *(f"stage{place}" for place in range(1, len(found)))]
    result = []
    for place in places:
        state, name = found[place], names[place]
        batch, count, width = state.spec.shape
        grid = grid_of(config, max(place - 1, 0))
        state = b.apply("reshape", rolled_back(config, b, state, max(place - 1, 0), grid, name), name=f"{name}_flat",
                        shape=(batch, count, width))  # fmt: skip
        state = layer_norm(b, f"hidden_states_norms.{name}", state)
        state = b.apply("reshape", state, name=f"{name}_places", shape=(batch, *grid, width))
        state = b.apply("permute", state, name=f"{name}_channels_first", dims=(0, 3, 1, 2))
        result.append(b.apply("contiguous", state, name=f"{name}_map"))
    return tuple(result)


def grid_of(config: HieraConfig, stage: int) -> Grid:
    """Returns the rows and columns of a stage's tokens, after those before it pooled their queries."""
    pooled = min(stage, config.num_query_pool)
    rows, columns = (side // step**pooled for side, step in zip(config.grid, config.query_stride, strict=True))
    return rows, columns


def embedded(config: HieraConfig, b: Builder, x: Value) -> Value:
    """Returns overlapping patches as tokens, with their learned positions."""
    with b.scope("embeddings"):
        options = {"stride": config.patch_stride, "padding": config.patch_padding}
        x = convolution(b, "patch_embeddings.projection", x, config.embed_dim, config.patch_size, bias=True, **options)
        batch, width, rows, columns = x.spec.shape
        if not (equal(rows, config.grid[0]) and equal(columns, config.grid[1])):
            raise ConfigError(
                f"patch_size {config.patch_size} and patch_padding {config.patch_padding} make {rows}x{columns} "
                f"patches, but image_size / patch_stride is {config.grid[0]}x{config.grid[1]}"
            )
        x = b.apply("reshape", x, name="flat", shape=(batch, width, rows * columns))
        x = b.apply("transpose", x, name="tokens", dims=(1, 2))
        learned = b.parameter("position_embeddings", (1, rows * columns, width))
        return b.apply("add", x, learned, name="with_positions")


def unrolled(config: HieraConfig, b: Builder, x: Value) -> Value:
    """Returns the tokens in an order in which those that a later stage pools are one after another."""
    batch, count, width = x.spec.shape
    rows: Dim
    columns: Dim
    rows, columns = config.grid
    high, wide = config.query_stride
    x = b.apply("reshape", x, name="unroll_map", shape=(batch, rows, columns, width))
    for place in range(len(config.depths) - 1):
        rows, columns = exact_div(rows, high, "rows / query_stride"), exact_div(columns, wide, "columns / query_stride")
        outer = x.spec.shape[0]
        x = b.apply("reshape", x, name=f"unroll_{place}", shape=(outer, rows, high, columns, wide, width))
        x = b.apply("permute", x, name=f"unroll_{place}_steps_first", dims=(0, 2, 4, 1, 3, 5))
        x = b.apply("contiguous", x, name=f"unroll_{place}_copied")
        x = b.apply("reshape", x, name=f"unroll_{place}_units", shape=(outer * high * wide, rows, columns, width))
    return b.apply("reshape", x, name="unrolled", shape=(batch, count, width))


def rolled_back(config: HieraConfig, b: Builder, x: Value, stage: int, grid: Grid, name: str) -> Value:
    """Returns a stage's tokens as a map (batch, rows, columns, width)."""
    batch, count, width = x.spec.shape
    high, wide = config.query_stride
    unit = (1, 1)
    for step in range(len(config.depths) - 1 - min(stage, config.num_query_pool)):
        count = exact_div(count, high * wide, "tokens / query_stride")
        x = b.apply("reshape", x, name=f"{name}_back_{step}", shape=(batch, high, wide, count, *unit, width))
        x = b.apply("permute", x, name=f"{name}_back_{step}_turned", dims=(0, 3, 1, 4, 2, 5, 6))
        x = b.apply("contiguous", x, name=f"{name}_back_{step}_copied")
        unit = (unit[0] * high, unit[1] * wide)
        x = b.apply("reshape", x, name=f"{name}_back_{step}_units", shape=(batch, count, *unit, width))
    units = tuple(exact_div(side, step, "rows or columns / units") for side, step in zip(grid, unit, strict=True))
    x = b.apply("reshape", x, name=f"{name}_units", shape=(batch, *units, *unit, width))
    x = b.apply("permute", x, name=f"{name}_units_turned", dims=(0, 1, 3, 2, 4, 5))
    x = b.apply("contiguous", x, name=f"{name}_units_copied")
    return b.apply("reshape", x, name=f"{name}_unit_map", shape=(batch, *grid, width))


def stages(config: HieraConfig, workload: Workload, b: Builder, x: Value) -> list[Value]:
    """Returns the stem's tokens and each stage's."""
    found = [x]
    units = config.masked_unit_attention
    (high, wide), (rows, columns) = config.masked_unit_size, config.query_stride
    area, pooled = high * wide, rows * columns
    with b.scope("encoder.stages"):
        for stage, depth in enumerate(config.depths):
            step = pooled if 0 < stage <= config.num_query_pool else 1
            window = int(area * pooled ** (-stage))
            within = units[stage] or units[max(stage - 1, 0)]
            chance = config.drop_path_rate if stage else 0.0  # the rate grows from 0
            with b.scope(f"{stage}.layers.0"):
                x = layer(config, workload, b, x, stage, step, window if within else 0, chance)

            def body(b: Builder, x: Value, stage: int = stage, window: int = window) -> Value:
                unit = window if units[stage] else 0
                return layer(config, workload, b, x, stage, 1, unit, config.drop_path_rate)

            if depth > 1:
                x = b.repeat(f"{stage}.layers", depth - 1, body, x, start=1)
            found.append(x)
    return found


def layer(
    config: HieraConfig, workload: Workload, b: Builder, x: Value, stage: int, step: int, window: int, chance: float
) -> Value:
    """Returns the tokens after a layer, which keeps the largest of each `step` of them. Attention is within units of
    `window` tokens times the step, or of all tokens if that is 0."""
    width = config.width(stage)
    y = layer_norm(b, "layernorm_before", x)
    if not equal(x.spec.shape[-1], width):
        x = linear(b, "proj", y, width)
        batch, count, _ = x.spec.shape
        shape = (batch, step, exact_div(count, step, "tokens / query_stride"), width)
        x, _ = b.apply("max_with_indices", b.apply("reshape", x, name="by_step", shape=shape), name="largest", dim=1)
    with b.scope("attn"):
        y = attention(config, b, y, stage, step, window)
    x = b.apply("add", x, drop_path(b, "drop_path", y, chance, workload), name="attn_residual")
    y = layer_norm(b, "layernorm_after", x)
    with b.scope("mlp"):
        y = activated(b, ACTIVATIONS[config.hidden_act], linear(b, "fc1", y, times(width, config.mlp_ratio)))
        y = linear(b, "fc2", y, width)
    return b.apply("add", x, drop_path(b, "drop_path_after", y, chance, workload), name="mlp_residual")


def attention(config: HieraConfig, b: Builder, x: Value, stage: int, step: int, window: int) -> Value:
    """Returns attention within units; the builder is in the module's scope."""
    batch, seq, _ = x.spec.shape
    width, heads = config.width(stage), config.num_heads[stage]
    d_head = exact_div(width, heads, "channels / num_heads")
    size = step * window if window else seq
    units = exact_div(seq, size, "tokens / tokens of a unit")
    x = linear(b, "qkv", x, 3 * width)
    x = b.apply("reshape", x, name="units", shape=(batch, size, units, 3, heads, d_head))
    x = b.apply("permute", x, name="parts_first", dims=(3, 0, 4, 2, 1, 5))
    q, k, v = (b.apply("select", x, name=label, dim=0, index=place) for place, label in enumerate("qkv"))
    fewer = exact_div(size, step, "tokens of a unit / query_stride")
    if step > 1:
        q = b.apply("reshape", q, name="q_by_step", shape=(batch, heads, units, step, fewer, d_head))
        q, _ = b.apply("max_with_indices", q, name="q_largest", dim=3)
    q = b.apply("scale", q, name="q_scaled")
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
    y = b.apply("matmul", b.apply("softmax", scores, name="softmax"), v, name="values")
    y = b.apply("transpose", y, name="tokens_first", dims=(1, 3))
    y = b.apply("reshape", y, name="read", shape=(batch, fewer * units, width))
    return linear(b, "proj", y, width)


ARCHITECTURE = Architecture(
    "hiera",
    HieraConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    dtype="float32",
    aliases=ALIASES,
    no_cost=dict.fromkeys(
        (
            *("layer_norm_init", "decoder_hidden_size", "decoder_depth", "decoder_num_heads"),
            *("normalize_pixel_loss", "mask_ratio", "hidden_size"),
        )
    ),
    model_types=("hiera",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="Hiera: attention in units of an image, whose queries are pooled between stages.",
)
