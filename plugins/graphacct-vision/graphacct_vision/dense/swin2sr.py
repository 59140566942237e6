"""Swin2SR: Swin V2's layers between convolutions, which make an image larger (Conde et al., 2022, arXiv:2209.11345)."""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs
from graphacct_architectures.layers import dropped, layer_norm
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
    fields,
    floor_div,
    frozen,
)
from graphacct_vision.parts.backbones import ALIASES
from graphacct_vision.parts.layers import convolution
from graphacct_vision.parts.windows import Grid, alternating, ratio
from graphacct_vision.vits.swin import Body
from graphacct_vision.vits.swinv2 import Swinv2Config, layer

CLASSES = ("Swin2SRModel", "Swin2SRForImageSuperResolution")
FEATURES = 64
SHUFFLED, AUXILIARY, DIRECT, NEAREST = "pixelshuffle", "pixelshuffle_aux", "pixelshuffledirect", "nearest+conv"


@frozen(kw_only=True)
class Swin2SRConfig(Swinv2Config):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    image_size: tuple[Dim, Dim] = fields.sides(64)
    patch_size: tuple[Dim, Dim] = fields.sides(1)
    num_channels_out: Dim | None = fields.optional_size()
    embed_dim: Dim = fields.size(180)
    depths: tuple[int, ...] = fields.counts((6, 6, 6, 6, 6, 6))
    num_heads: tuple[Dim, ...] = fields.counts((6, 6, 6, 6, 6, 6))
    window_size: Dim = fields.size(8)
    mlp_ratio: float = ratio(2.0)
    upscale: int = fields.size(2)
    resi_connection: str = fields.choice("1conv", ("1conv", "3conv"))
    upsampler: str = attrs.field(default=SHUFFLED)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not all(equal(step, 1) for step in self.patch_size):
            raise ConfigError(f"patch_size is {self.patch_size}: the library's class runs patches of 1 pixel alone")
        if self.architectures == CLASSES[0]:
            return
        if self.upsampler == NEAREST and self.upscale != 4:
            raise ConfigError(f"upscale is {self.upscale}: upsampler {NEAREST!r} makes images four times as large")
        doubles = self.upscale & (self.upscale - 1) == 0
        if self.upsampler in (SHUFFLED, AUXILIARY) and not doubles and self.upscale != 3:
            raise ConfigError(f"upscale is {self.upscale}: upsampler {self.upsampler!r} takes 3 and powers of 2")
        if self.upsampler == AUXILIARY and not equal(self.num_channels, 3):
            raise ConfigError(f"num_channels is {self.num_channels}: upsampler {AUXILIARY!r} takes 3")

    @property
    def channels_out(self) -> Dim:
        """The channels of the image that is made."""
        return self.num_channels if self.num_channels_out is None else self.num_channels_out

    def width(self, stage: int) -> Dim:
        """Returns the channels of a stage: all have the same."""
        return self.embed_dim

    def windows(self, stage: int, grid: Grid) -> tuple[Dim, bool]:
        """Returns a stage's window and whether every other layer's is shifted: all stages have the same."""
        return super().windows(0, grid)


def build(config: Swin2SRConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to those of a larger image, or to a map of the image."""
    assert workload.image_size is not None  # the architecture declares its default
    image = workload.image_size
    if any(type(side) is not int or type(config.window_size) is not int for side in image):
        raise ConfigError("image_size and window_size are integers: an image is whole windows")
    if any(side % config.window_size for side in image):
        raise ConfigError(
            f"image_size {image[0]}x{image[1]} is not whole windows of window_size {config.window_size}, which the "
            "library's class needs"
        )
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *image))
    if config.architectures == CLASSES[0]:
        return encoded(config, workload, b, pixels)
    large = (image[0] * config.upscale, image[1] * config.upscale)
    resized = None
    if config.upsampler == AUXILIARY:
        resized = b.apply("upsample_bicubic", pixels, name="bicubic", size=large)
    with b.scope("swin2sr"):
        x = encoded(config, workload, b, pixels)
    if config.upsampler in (SHUFFLED, AUXILIARY, DIRECT, NEAREST):
        with b.scope("upsample"):
            x = enlarged(config, b, x, resized)
    else:
        x = b.apply("add", pixels, wide(b, "final_convolution", x, config.channels_out), name="residual")
    return b.apply("shift", b.apply("scale", x, name="in_range"), name="reconstruction")


def wide(b: Builder, name: str, x: Value, channels: Dim) -> Value:
    """Applies a convolution of 3 x 3 with a bias, which keeps a map's size."""
    return convolution(b, name, x, channels, 3, padding=1, bias=True)


def encoded(config: Swin2SRConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns a map of the image after all stages."""
    width = config.embed_dim
    x = b.apply("reflection_pad", x, name="padded", padding=(0, 0, 0, 0))  # torch copies where nothing is missing
    x = b.apply("scale", b.apply("shift", x, name="centred"), name="normalized")
    stem = wide(b, "first_convolution", x, width)
    grid = (stem.spec.shape[2], stem.spec.shape[3])
    with b.scope("embeddings"):
        x = flat(b, convolution(b, "patch_embeddings.projection", stem, width, bias=True), "patch_embeddings.tokens")
        x = layer_norm(b, "patch_embeddings.layernorm", x)
        x = dropped(b, "dropout", x, config.hidden_dropout_prob, workload)
    with b.scope("encoder.stages"):
        for stage in range(len(config.depths)):
            with b.scope(f"{stage}"):
                x = staged(config, workload, b, x, stage, grid)
    x = as_map(b, layer_norm(b, "layernorm", x), grid, "map")
    return b.apply("add", wide(b, "conv_after_body", x, width), stem, name="residual")


def flat(b: Builder, x: Value, name: str) -> Value:
    """Returns a map as tokens, a view."""
    batch, width, rows, columns = x.spec.shape
    x = b.apply("reshape", x, name=f"{name}_flat", shape=(batch, width, rows * columns))
    return b.apply("transpose", x, name=name, dims=(1, 2))


def as_map(b: Builder, x: Value, grid: Grid, name: str) -> Value:
    """Returns tokens as a map, a view."""
    batch, _, width = x.spec.shape
    x = b.apply("transpose", x, name=f"{name}_channels_first", dims=(1, 2))
    return b.apply("reshape", x, name=name, shape=(batch, width, *grid))


def staged(config: Swin2SRConfig, workload: Workload, b: Builder, x: Value, stage: int, grid: Grid) -> Value:
    """Returns the tokens after a stage's layers and the convolutions after them, added."""
    window, shifts = config.windows(stage, grid)

    def body(shifted: bool, spared: bool) -> Body:
        return partial(layer, config, workload, stage, grid, window, shifted, 0.0)

    y = alternating(b, "layers", config.depths[stage], body, x, spared=False, shifts=shifts)
    y = as_map(b, y, grid, "map")
    width = config.embed_dim
    if config.resi_connection == "1conv":
        y = wide(b, "conv", y, width)
    else:
        narrow = floor_div(width, 4)
        y = b.apply("leaky_relu", wide(b, "conv.0", y, narrow), name="conv.1")
        y = b.apply("leaky_relu", convolution(b, "conv.2", y, narrow, bias=True), name="conv.3")
        y = wide(b, "conv.4", y, width)
    y = flat(b, convolution(b, "patch_embed.projection", y, width, bias=True), "patch_embed.tokens")
    return b.apply("add", y, x, name="residual")


def enlarged(config: Swin2SRConfig, b: Builder, x: Value, resized: Value | None) -> Value:
    """Returns a larger image; `resized` is the given one, made as large between its pixels."""
    if config.upsampler == DIRECT:
        x = wide(b, "conv", x, config.upscale**2 * config.channels_out)
        return b.apply("pixel_shuffle", x, name="pixel_shuffle", upscale_factor=config.upscale)
    beside = wide(b, "conv_bicubic", resized, FEATURES) if resized is not None else None
    x = b.apply("leaky_relu", wide(b, "conv_before_upsample", x, FEATURES), name="activation")
    if config.upsampler == NEAREST:
        for place in (1, 2):
            size = tuple(2 * side for side in x.spec.shape[2:])
            x = b.apply("upsample_nearest", x, name=f"doubled_{place}", size=size)
            x = b.apply("leaky_relu", wide(b, f"conv_up{place}", x, FEATURES), name=f"lrelu_{place}")
        x = b.apply("leaky_relu", wide(b, "conv_hr", x, FEATURES), name="lrelu")
        return wide(b, "final_convolution", x, config.channels_out)
    if config.upsampler == AUXILIARY:
        x = wide(b, "conv_aux", x, config.num_channels)
        x = b.apply("leaky_relu", wide(b, "conv_after_aux.0", x, FEATURES), name="conv_after_aux.1")
    with b.scope("upsample"):
        x = shuffled(b, x, config.upscale)
    if beside is not None:
        x = b.apply("add", x, beside, name="with_bicubic")
    return wide(b, "final_convolution", x, config.channels_out)


def shuffled(b: Builder, x: Value, scale: int) -> Value:
    """Returns a map made larger: twice as large as often as needed, or three times at once."""
    steps: list[tuple[str, int]] = [("", 3)]
    if scale & (scale - 1) == 0:
        steps = [(f"_{place}", 2) for place in range(scale.bit_length() - 1)]
    for word, factor in steps:
        options: dict[str, Any] = {"upscale_factor": factor}
        x = wide(b, f"convolution{word}", x, factor**2 * FEATURES)
        x = b.apply("pixel_shuffle", x, name=f"pixelshuffle{word}", **options)
    return x


ARCHITECTURE = Architecture(
    "swin2sr",
    Swin2SRConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("eager",),
    dtype="float32",
    aliases={**ALIASES, "hidden_size": "embed_dim", "num_attention_heads": "num_heads"},
    no_cost=dict.fromkeys(("img_range", "num_layers", "num_hidden_layers", "drop_path_rate", "path_norm")),
    model_types=("swin2sr",),
    losses=SUM_ALONE,
    doc="Swin2SR: Swin V2's layers between convolutions, which make an image larger.",
)
