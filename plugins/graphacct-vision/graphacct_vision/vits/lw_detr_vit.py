"""LW-DETR's ViT: patches kept window by window, some layers of which see one window (Chen et al., 2024,
arXiv:2406.03459)."""

from __future__ import annotations

from math import isqrt

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, attention

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_vision.parts.backbones import ALIASES, Backbone
from graphacct_vision.parts.lists import indices
from graphacct_vision.vits.vitdet import embedded

CLASSES = ("LwDetrViTBackbone",)


@frozen(kw_only=True)
class LwDetrViTConfig(Backbone):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: int = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    mlp_ratio: Dim = fields.size(4)
    dropout_prob: float = fields.probability(0.0)
    image_size: tuple[Dim, Dim] = fields.sides(256)
    pretrain_image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: tuple[Dim, Dim] = fields.sides(16)
    qkv_bias: bool = fields.flag(True)
    window_block_indices: tuple[int, ...] = indices()
    use_absolute_position_embeddings: bool = fields.flag(True)
    num_windows: int = fields.size(16)

    def __attrs_post_init__(self) -> None:
        if type(self.num_hidden_layers) is not int:
            raise ConfigError("num_hidden_layers must be a number: layers of a window and of the whole image differ")
        if type(self.num_windows) is not int or isqrt(self.num_windows) ** 2 != self.num_windows:
            raise ConfigError(f"num_windows is {self.num_windows}: the square of how many there are a side")


def build(config: LwDetrViTConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to maps of stages."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    with b.scope("embeddings"):
        x = embedded(config, b, pixels)
    batch, width, rows, columns = x.spec.shape
    side = isqrt(config.num_windows)
    grid = (exact_div(rows, side, "rows / windows a side"), exact_div(columns, side, "columns / windows a side"))
    x = b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1))
    x = b.apply("reshape", x, name="by_window", shape=(batch, side, grid[0], side, grid[1], width))
    x = b.apply("permute", x, name="windows_first", dims=(0, 1, 3, 2, 4, 5))
    x = b.apply("contiguous", x, name="windows")
    x = b.apply("reshape", x, name="tokens", shape=(batch * config.num_windows, grid[0] * grid[1], width))
    found = [x]
    with b.scope("encoder.layer"):
        for index in range(config.num_hidden_layers):
            with b.scope(str(index)):
                x = layer(config, workload, index, b, x)
            found.append(x)
    maps = []
    for place in config.handed_on(config.num_hidden_layers):
        y = b.apply("reshape", found[place], name=f"by_window_{place}", shape=(batch, side, side, *grid, width))
        y = b.apply("permute", y, name=f"channels_first_{place}", dims=(0, 5, 1, 3, 2, 4))
        y = b.apply("contiguous", y, name=f"places_{place}")
        maps.append(b.apply("reshape", y, name=f"stage{place}", shape=(batch, width, rows, columns)))
    return tuple(maps)


def layer(config: LwDetrViTConfig, workload: Workload, index: int, b: Builder, x: Value) -> Value:
    """Returns windows (batch * windows, places, width) after a layer, which sees each alone or all of an image."""
    b.hold(x)
    count, places, width = x.spec.shape
    heads, windows = config.num_attention_heads, config.num_windows
    y = layer_norm(b, "layernorm_before", x)
    whole = index not in config.window_block_indices
    if whole:
        shape = (exact_div(count, windows, "windows"), windows * places, width)
        y = b.apply("reshape", y, name="together", shape=shape)
    kind = Tower(
        1,
        heads,
        Mlp(1, "relu"),
        stack="",
        attention="attention",
        out="o_proj",
        norms=("", ""),
        bias=config.qkv_bias,
        key_bias=False,
        attention_dropout=config.dropout_prob,
        softmax_upcast=False,
    )
    with b.scope("attention"):
        y, _ = attention(kind, exact_div(width, heads, "hidden_size / num_attention_heads"), workload, b, y, None)
    y = b.apply("mul", y, b.parameter("gamma_1", (width,)), name="attn_scaled")
    y = b.apply("reshape", y, name="apart", shape=(count, places, width)) if whole else y
    x = b.apply("add", x, y, name="attn_residual")
    y = layer_norm(b, "layernorm_after", x)
    with b.scope("intermediate"):
        y = activated(b, ACTIVATIONS[config.hidden_act], linear(b, "fc1", y, config.mlp_ratio * width))
        y = dropped(b, "drop", y, config.dropout_prob, workload)
        y = dropped(b, "drop_again", linear(b, "fc2", y, width), config.dropout_prob, workload)
    y = b.apply("mul", y, b.parameter("gamma_2", (width,)), name="mlp_scaled")
    return b.apply("add", x, y, name="mlp_residual")


ARCHITECTURE = Architecture(
    "lw_detr_vit",
    LwDetrViTConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases=ALIASES,
    no_cost={"cae_init_values": None},
    model_types=("lw_detr_vit",),
    losses=SUM_ALONE,
    doc="LW-DETR's ViT: patches kept window by window; maps of stages.",
)
