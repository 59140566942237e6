"""SAM's image encoder: a ViT whose layers see windows, but for a few that see the whole image.

Kirillov et al., 2023 (arXiv:2304.02643).
"""

from __future__ import annotations

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import check_image

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    fields,
    floor_div,
    frozen,
)
from graphacct_vision.convnets.convnext import norm_of_channels
from graphacct_vision.parts import far
from graphacct_vision.parts.layers import convolution
from graphacct_vision.parts.lists import indices
from graphacct_vision.parts.windows import ratio, times

CLASSES = ("SamVisionModel",)


@frozen(kw_only=True)
class VisionKeys:
    """The keys of the published config.json that the cost depends on."""

    hidden_size: Dim = fields.size(768)
    output_channels: Dim = fields.size(256)
    num_hidden_layers: int = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    num_channels: Dim = fields.size(3)
    image_size: Dim = fields.size(1024)
    patch_size: Dim = fields.size(16)
    hidden_act: str = activation("gelu")
    attention_dropout: float = fields.probability(0.0)
    qkv_bias: bool = fields.flag(True)
    mlp_ratio: float = ratio(4.0)
    use_abs_pos: bool = fields.flag(True)
    use_rel_pos: bool = fields.flag(True)
    window_size: Dim = fields.size(14, minimum=0)
    global_attn_indexes: tuple[int, ...] = indices((2, 5, 8, 11))
    num_pos_feats: Dim = fields.size(128)
    mlp_dim: Dim | None = fields.optional_size()

    def __attrs_post_init__(self) -> None:
        if type(self.num_hidden_layers) is not int:
            raise ConfigError("num_hidden_layers must be a number: layers of a window and of the whole image differ")

    @property
    def side(self) -> Dim:
        """The patches along each side of an image."""
        return floor_div(self.image_size, self.patch_size)


@frozen(kw_only=True)
class SamVisionConfig(VisionKeys):
    """The keys of the image encoder alone, and its class."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    dtype: str | None = fields.dtype()


def build(config: SamVisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to the image's map."""
    with b.scope("vision_encoder"):
        return encoded(config, workload, b)


def encoded(config: VisionKeys, workload: Workload, b: Builder, key: str = "image_size") -> Value:
    """Returns the map (batch, output_channels, rows, columns) of an image."""
    return encoded_and_state(config, workload, b, key, None)[0]


def encoded_and_state(
    config: VisionKeys, workload: Workload, b: Builder, key: str, wanted: int | None
) -> tuple[Value, Value]:
    """Returns the map of an image, and its patches (batch, rows, columns, width) after as many layers as `wanted` says,
    or after all."""
    image = check_image(workload.image_size, (config.image_size, config.image_size), key)
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *image))
    width, step = config.hidden_size, config.patch_size
    with b.scope("patch_embed"):
        x = convolution(b, "projection", pixels, width, step, stride=step, bias=True)
        x = b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1))
    if config.use_abs_pos:
        x = b.apply("add", x, b.parameter("pos_embed", (1, config.side, config.side, width)), name="with_positions")
    index, whole, state = 0, config.num_hidden_layers, x
    while index < whole:  # equal layers that follow each other are one repeat; the first keeps the stem's memory order
        seen = index in config.global_attn_indexes or not config.window_size
        end = index + 1
        if index:
            while (
                end < whole and end != wanted and seen == (end in config.global_attn_indexes or not config.window_size)
            ):
                end += 1
        body = layer(config, workload, whole=seen)
        if end - index == 1:
            with b.scope(f"layers.{index}"):
                x = body(b, x)
        else:
            x = b.repeat("layers", end - index, body, x, start=index)
        index = end
        if index == wanted:
            state = x
    state = x if wanted is None else state
    with b.scope("neck"):
        return necked(config, b, x), state


def necked(config: VisionKeys, b: Builder, x: Value) -> Value:
    """Returns the map of patches (batch, rows, columns, width) with fewer channels; the builder is in the neck's
    scope."""
    x = b.apply("permute", x, name="channels_first", dims=(0, 3, 1, 2))
    x = norm_of_channels(b, "layer_norm1", convolution(b, "conv1", x, config.output_channels))
    x = convolution(b, "conv2", x, config.output_channels, 3, padding=1)
    return norm_of_channels(b, "layer_norm2", x)


def layer(config: VisionKeys, workload: Workload, *, whole: bool):  # type: ignore[no-untyped-def]
    """Returns the body of a layer of x (batch, rows, columns, width), which sees the `whole` image or windows."""
    side, window = config.side, config.window_size
    hidden = times(config.hidden_size, config.mlp_ratio) if config.mlp_dim is None else config.mlp_dim
    size = side if whole else window

    def body(b: Builder, x: Value) -> Value:
        b.hold(x)
        y = layer_norm(b, "layer_norm1", x)
        y = y if whole else far.into(b, y, window)
        with b.scope("attn"):
            y = far.attention(
                b,
                workload,
                y,
                config.num_attention_heads,
                bias=config.qkv_bias,
                learned=(size, size) if config.use_rel_pos else None,
                always=True,
                upcast=True,
                dropout=config.attention_dropout,
            )
        y = y if whole else far.out_of(b, y, x.spec.shape[0], (side, side), window)
        x = b.apply("add", x, y, name="attn_residual")
        y = layer_norm(b, "layer_norm2", x)
        with b.scope("mlp"):
            y = activated(b, ACTIVATIONS[config.hidden_act], linear(b, "lin1", y, hidden))
            y = linear(b, "lin2", y, config.hidden_size)
        return b.apply("add", x, y, name="mlp_residual")

    return body


ARCHITECTURE = Architecture(
    "sam_vision_model",
    SamVisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (config.image_size, config.image_size)},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={"num_pos_feats": None, "scale": None},
    model_types=("sam_vision_model",),
    losses=SUM_ALONE,
    doc="SAM's image encoder: a ViT of windows, with learned numbers of distances along rows and columns.",
)
