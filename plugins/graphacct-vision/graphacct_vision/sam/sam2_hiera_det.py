"""SAM 2's image encoder without its neck: Hiera in windows, whose queries are pooled between stages.

Ravi et al., 2024 (arXiv:2408.00714); Ryali et al., 2023 (arXiv:2306.00989).
"""

from __future__ import annotations

from typing import Any

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import layer_norm, linear
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
    frozen,
)
from graphacct_vision.parts import far
from graphacct_vision.parts.layers import convolution
from graphacct_vision.parts.lists import check_stages, naturals
from graphacct_vision.parts.windows import Grid, ratio, times
from graphacct_vision.sam.sam_masks import perceptron

CLASSES = ("Sam2HieraDetModel",)


@frozen(kw_only=True)
class HieraDetKeys:
    """The keys of the published config.json that the cost depends on."""

    hidden_size: Dim = fields.size(96)
    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(1024)
    patch_kernel_size: tuple[int, int] = fields.sides(7)
    patch_stride: tuple[int, int] = fields.sides(4)
    patch_padding: tuple[int, int] = fields.sides(3)
    query_stride: tuple[int, int] = fields.sides(2)
    window_positional_embedding_background_size: tuple[int, int] = fields.sides(7)
    num_query_pool_stages: int = fields.size(3, minimum=0)
    blocks_per_stage: tuple[int, ...] = fields.counts((1, 2, 7, 2))
    embed_dim_per_stage: tuple[Dim, ...] = fields.counts((96, 192, 384, 768))
    num_attention_heads_per_stage: tuple[Dim, ...] = fields.counts((1, 2, 4, 8))
    window_size_per_stage: tuple[int, ...] = naturals((8, 4, 14, 7))
    global_attention_blocks: tuple[int, ...] = naturals((5, 7, 9))
    mlp_ratio: float = ratio(4.0)
    hidden_act: str = activation("gelu")

    def __attrs_post_init__(self) -> None:
        check_stages(
            len(self.blocks_per_stage),
            embed_dim_per_stage=self.embed_dim_per_stage,
            num_attention_heads_per_stage=self.num_attention_heads_per_stage,
            window_size_per_stage=self.window_size_per_stage,
        )
        if not equal(self.hidden_size, self.embed_dim_per_stage[0]):
            raise ConfigError(
                f"hidden_size is {self.hidden_size}, but embed_dim_per_stage begins with {self.embed_dim_per_stage[0]}"
            )
        if not self.window_size_per_stage[0]:
            raise ConfigError("window_size_per_stage begins with 0: the positions of a window are learned")


@frozen(kw_only=True)
class HieraDetConfig(HieraDetKeys):
    """The keys of the encoder alone, and its class."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    dtype: str | None = fields.dtype()


def build(config: HieraDetConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to the last stage's map, (batch, rows, columns, channels)."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    return stages(config, workload, b, pixels)[-1]


def stages(config: HieraDetKeys, workload: Workload, b: Builder, x: Value) -> list[Value]:
    """Returns each stage's map, (batch, rows, columns, channels)."""
    width, window = config.hidden_size, config.window_size_per_stage[0]
    options: dict[str, Any] = {"stride": config.patch_stride, "padding": config.patch_padding}
    with b.scope("patch_embed"):
        x = convolution(b, "projection", x, width, config.patch_kernel_size, bias=True, **options)
        x = b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1))
    rows, columns = x.spec.shape[1:3]
    background = b.parameter("pos_embed", (1, width, *config.window_positional_embedding_background_size))
    where = b.apply("upsample_bicubic", background, name="positions_resized", size=(rows, columns))
    tile = b.parameter("pos_embed_window", (1, width, window, window))
    often = tuple(exact_div(side, window, "patches of a side / window_size_per_stage") for side in (rows, columns))
    tiles = b.apply("repeat", tile, name="positions_of_windows", times=(1, 1, *often))
    where = b.apply("add", where, tiles, name="positions_added")
    where = b.apply("permute", where, name="positions", dims=(0, 2, 3, 1))
    x = b.apply("add", x, where, name="with_positions")
    found, index = [], 0
    for stage, depth in enumerate(config.blocks_per_stage):
        for place in range(depth):
            with b.scope(f"blocks.{index}"):
                x = block(config, workload, b, x, stage, place, index)
            index += 1
        found.append(x)
    return found


def block(config: HieraDetKeys, workload: Workload, b: Builder, x: Value, stage: int, place: int, index: int) -> Value:
    """Returns a map after a block, which keeps the largest of neighbours if it is the first of a later stage."""
    first = stage > 0 and place == 0
    width = config.embed_dim_per_stage[stage]
    window = config.window_size_per_stage[stage - first]
    window = 0 if index in config.global_attention_blocks else window
    stride = config.query_stride if first and stage <= config.num_query_pool_stages else None
    y = layer_norm(b, "layer_norm1", x)
    if not equal(x.spec.shape[-1], width):
        x = pooled(b, linear(b, "proj", y, width), stride, "residual")
    batch, rows, columns, _ = x.spec.shape
    if stride is not None and (window % stride[0] or not window):
        raise ConfigError(
            f"block {index} pools its queries in windows of {window}: the library's class takes a multiple of "
            f"query_stride {stride[0]} above 0"
        )
    y = far.into(b, y, window) if window else y
    with b.scope("attn"):
        y = attention(config, workload, b, y, stage, stride)
    if window:
        grid: Grid = (rows, columns)
        y = far.out_of(b, y, batch, grid, window // (stride[0] if stride else 1))
    x = b.apply("add", x, y, name="attn_residual")
    y = layer_norm(b, "layer_norm2", x)
    with b.scope("mlp"):
        y = perceptron(b, y, times(width, config.mlp_ratio), width, 2, ACTIVATIONS[config.hidden_act])
    return b.apply("add", x, y, name="mlp_residual")


def pooled(b: Builder, x: Value, stride: tuple[int, int] | None, name: str) -> Value:
    """Returns the largest of each neighbours of a map (batch, rows, columns, channels)."""
    if stride is None:
        return x
    x = b.apply("permute", x, name=f"{name}_channels_first", dims=(0, 3, 1, 2))
    x = b.apply("max_pool", x, name=f"{name}_pooled", kernel=stride, stride=stride)
    return b.apply("permute", x, name=f"{name}_channels_last", dims=(0, 2, 3, 1))


def attention(
    config: HieraDetKeys, workload: Workload, b: Builder, x: Value, stage: int, stride: tuple[int, int] | None
) -> Value:
    """Returns attention of all places of a map, or of a window, whose queries may be pooled. The library's class first
    multiplies each place's heads with each other, and reads nothing of it."""
    batch, rows, columns, _ = x.spec.shape
    width, heads = config.embed_dim_per_stage[stage], config.num_attention_heads_per_stage[stage]
    d_head = exact_div(width, heads, "embed_dim_per_stage / num_attention_heads_per_stage")
    seq = rows * columns
    x = linear(b, "qkv", x, 3 * width)
    x = b.apply("reshape", x, name="parts", shape=(batch, seq, 3, heads, d_head))
    q, k, v = (b.apply("select", x, name=label, dim=2, index=place) for place, label in enumerate("qkv"))
    unread = b.apply(
        "matmul", b.apply("scale", q, name="q_scaled"), turned(b, k, "k_of_heads", (-2, -1)), name="unread"
    )
    upcast = {"dtype": "float32"} if b.dtype != "float32" else {}
    unread = b.apply("softmax", unread, name="unread_softmax", **upcast)
    if upcast:
        b.apply("cast", unread, name="unread_weights", dtype=b.dtype)
    if stride is not None:
        q = b.apply("reshape", q, name="q_map", shape=(batch, rows, columns, width))
        q = pooled(b, q, stride, "q")
        rows, columns = q.spec.shape[1:3]
        q = b.apply("reshape", q, name="q_heads", shape=(batch, rows * columns, heads, d_head))
    q, k, v = (turned(b, part, f"{label}_transposed", (1, 2)) for part, label in ((q, "q"), (k, "k"), (v, "v")))
    b.hold(q, k, v)
    if workload.attention == "fused":
        y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa")
    else:
        scores = b.apply("matmul", q, turned(b, k, "k_last", (-2, -1)), name="scores")
        weights = b.apply("softmax", b.apply("scale", scores, name="scale"), name="softmax", **upcast)
        weights = b.apply("cast", weights, name="weights", dtype=b.dtype) if upcast else weights
        y = b.apply("matmul", weights, v, name="values")
    y = b.apply("reshape", turned(b, y, "heads_last", (1, 2)), name="merged", shape=(batch, rows, columns, width))
    return linear(b, "proj", y, width)


def turned(b: Builder, x: Value, name: str, dims: tuple[int, int]) -> Value:
    """Returns x with two dimensions exchanged, a view."""
    found: Value = b.apply("transpose", x, name=name, dims=dims)
    return found


NO_COST = ("num_attention_heads", "layer_norm_eps")
ARCHITECTURE = Architecture(
    "sam2_hiera_det_model",
    HieraDetConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(NO_COST),
    model_types=("sam2_hiera_det_model",),
    losses=SUM_ALONE,
    doc="SAM 2's Hiera: attention in windows, whose queries are pooled between stages.",
)
