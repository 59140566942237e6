"""The tower of HunyuanOCR: SigLIP's layers over a grid of patches with interpolated positions; convolutions make one
token of a square of patches, and learned tokens end its rows and the image.

Tencent Hunyuan Team, 2025 (HunyuanOCR).
"""

from __future__ import annotations

from graphacct import Builder, Dim, Value, exact_div, fields, floor_div, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import linear, resident
from graphacct_architectures.multimodal.parts.grid import Extent, Grid
from graphacct_architectures.multimodal.parts.grid_layers import Looking
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone
from graphacct_architectures.multimodal.parts.siglip_grid import siglip_grid

VISION = "HunYuanVLVisionTransformer"


@frozen(kw_only=True)
class Config:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_act: str = activation("gelu")
    hidden_size: Dim = fields.size(1152)
    intermediate_size: Dim = fields.size(4304)
    interpolate_mode: str = fields.choice("bilinear", ("bilinear", "bicubic"))
    num_attention_heads: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    num_hidden_layers: Dim = fields.size(27)
    patch_size: Dim = fields.size(16)
    spatial_merge_size: Dim = fields.size(2)
    max_image_size: Dim = fields.size(2048)
    text_hidden_size: Dim = fields.size(3072)
    dtype: str | None = fields.dtype()

    @property
    def attention_dropout(self) -> float:
        """The class drops no weights, whatever the file says."""
        return 0.0


@frozen
class Interpolated:
    """A square table, behind one spare row, interpolated to an image's rows and columns in float32.

    Attributes:
        name: The table's name.
        side: The square's side.
        operator: What interpolates.
    """

    name: str
    side: Dim
    operator: str

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        width, side = x.spec.shape[-1], self.side
        y = b.parameter(f"{self.name}.weight", (side * side + 1, width))
        y = b.apply("slice", y, name="position_places", dim=0, start=1, length=side * side)
        y = b.apply("reshape", y, name="position_rows", shape=(1, side, side, width))
        y = b.apply("permute", y, name="positions_by_width", dims=(0, 3, 1, 2))
        if b.dtype != "float32":
            y = b.apply("cast", y, name="positions_wide", dtype="float32")
        y = b.apply("expand", y, name="positions_of_images", shape=(extent.images, width, side, side))
        y = b.apply(self.operator, y, name="interpolated", size=(extent.rows, extent.columns))
        y = b.apply("permute", y, name="positions_last", dims=(0, 2, 3, 1))
        y = b.apply("reshape", y, name="positions", shape=(extent.count, width))
        if b.dtype != "float32":
            y = b.apply("cast", y, name="positions_narrowed", dtype=b.dtype)
        y = b.apply("concat", y, name="all_positions", dim=0)
        found: Value = b.apply("add", x, y, name="with_positions")
        return found


@frozen
class Merging:
    """What makes the tokens: a norm, two convolutions, an end of each row, a linear layer, both ends, a norm.

    Attributes:
        merge: The side of a square.
        out: The tokens' width.
        operators: The activation.
    """

    merge: Dim
    out: Dim
    operators: str

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        images, width = extent.images, x.spec.shape[-1]
        high, wide = (
            exact_div(side, self.merge, "patches / spatial_merge_size") for side in (extent.rows, extent.columns)
        )
        with b.scope("patch_merger"):
            x = normed_by(b, "before_rms", x, Norm())
            x = b.apply("reshape", x, name="patch_rows", shape=(images, extent.rows * extent.columns, width))
            x = b.apply("permute", x, name="width_first", dims=(0, 2, 1))
            x = b.apply("reshape", x, name="places", shape=(images, width, extent.rows, extent.columns))
            x = convolved(b, "proj_conv", x, 2 * width, self.merge)
            x = convolved(b, "proj_out", activated(b, self.operators, x, "proj_act"), 4 * width, 1)
            newline = b.apply(
                "reshape", b.parameter("image_newline", (4 * width,)), name="newline", shape=(1, 4 * width, 1, 1)
            )
            newline = b.apply("expand", newline, name="newlines", shape=(images, 4 * width, high, 1))
            x = b.apply("concat", x, newline, name="with_newlines", dim=-1)
            x = b.apply("reshape", x, name="lines", shape=(images, 4 * width, high * (wide + 1)))
            x = linear(b, "mlp", b.apply("permute", x, name="width_last", dims=(0, 2, 1)), self.out)
            ends = []
            for name in ("image_begin", "image_end"):
                end = b.apply("reshape", b.parameter(name, (self.out,)), name=f"{name}_row", shape=(1, 1, self.out))
                ends.append(b.apply("expand", end, name=f"{name}_rows", shape=(images, 1, self.out)))
            resident(b, "image_sep", b.parameter("image_sep", (self.out,)))
            x = normed_by(b, "after_rms", b.apply("concat", ends[0], x, ends[1], name="with_ends", dim=1), Norm())
            y: Value = b.apply("reshape", x, name="tokens", shape=(images * (high * (wide + 1) + 2), self.out))
            return y


def convolved(b: Builder, name: str, x: Value, out: Dim, size: Dim) -> Value:
    """Returns x (images, width, rows, columns) after a convolution of squares that do not overlap."""
    weight, bias = (
        b.parameter(f"{name}.weight", (out, x.spec.shape[1], size, size)),
        b.parameter(f"{name}.bias", (out,)),
    )
    y: Value = b.apply("convolution", x, weight, bias, name=name, stride=(size, size))
    return y


def describe(config: Config) -> Grid:
    """Returns the tower."""
    side = floor_div(config.max_image_size, config.patch_size)
    operator = {"bilinear": "upsample_linear", "bicubic": "upsample_bicubic"}[config.interpolate_mode]
    return siglip_grid(
        config,
        config.spatial_merge_size,
        turns="",
        looking=Looking(config.num_attention_heads, module="self_attn", joint="", out="o_proj", turns=""),
        positions=Interpolated("embeddings.position_embedding", side, operator),
        stack="layers",
        last_norm="",
        merger=Merging(config.spatial_merge_size, config.text_hidden_size, ACTIVATIONS[config.hidden_act]),
    )


ARCHITECTURE = tower_alone(
    "hunyuan_vl_vision",
    Config,
    describe,
    __file__,
    aliases={"attention_heads": "num_attention_heads"},
    no_cost=(
        *("attention_dropout", "num_key_value_heads", "out_hidden_size", "temporal_patch_size", "img_max_token_num"),
        *("min_image_size", "max_vit_seq_len", "layer_norm_eps", "rms_norm_eps"),
    ),
    doc="The tower of HunyuanOCR: a grid of patches, whose squares convolutions make tokens, in rows with ends.",
)
