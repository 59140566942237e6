"""The tower of Step 3.7: patches with interpolated positions, rotated by row and column, a scale of each part's output;
two convolutions make one token of sixteen patches.

StepFun, 2026 (Step 3.7).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, Dim, Value, fields, floor_div, frozen, same
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import number
from graphacct_architectures.multimodal.parts.grid import Extent, Grid
from graphacct_architectures.multimodal.parts.grid_layers import Looking
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone

VISION = "Step3p7VisionModel"
RATIO = 8960 / 1536


@frozen(kw_only=True)
class Config:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_size: Dim = fields.size(1536)
    num_hidden_layers: Dim = fields.size(47)
    num_attention_heads: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    image_size: Dim = fields.size(728)
    patch_size: Dim = fields.size(14)
    hidden_act: str = activation("quick_gelu")
    attention_dropout: float = fields.probability(0.0)
    mlp_ratio: float | None = number(RATIO)
    dtype: str | None = fields.dtype()

    @property
    def inner(self) -> Dim:
        """The width of a network's hidden layer: rounded down, as in the class."""
        ratio: Any = RATIO if self.mlp_ratio is None else self.mlp_ratio
        width: Any = self.hidden_size
        return int(width * ratio)


@frozen
class Interpolated:
    """A square table, interpolated to an image's rows and columns unless it has as many.

    Attributes:
        name: The table's name.
        side: The square's side.
    """

    name: str
    side: Dim

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        width, side = x.spec.shape[-1], self.side
        y: Any = b.parameter(f"{self.name}.weight", (side * side, width))
        if not (same(side, extent.rows) and same(side, extent.columns)):
            y = b.apply("reshape", y, name="position_rows", shape=(1, side, side, width))
            y = b.apply("permute", y, name="positions_by_width", dims=(0, 3, 1, 2))
            y = b.apply("upsample_linear", y, name="interpolated", size=(extent.rows, extent.columns))
            y = b.apply("permute", y, name="positions_last", dims=(0, 2, 3, 1))
        each = extent.rows * extent.columns
        y = b.apply("reshape", y, name="positions", shape=(1, each, width))
        x = b.apply("reshape", x, name="images_apart", shape=(extent.images, each, width))
        x = b.apply("add", x, y, name="with_positions")
        found: Value = b.apply("reshape", x, name="with_positions_flat", shape=(extent.count, width))
        return found


@frozen
class Downsampled:
    """Two convolutions that each halve rows and columns and double the width."""

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        width = x.spec.shape[-1]
        x = b.apply("reshape", x, name="by_image", shape=(extent.images, extent.rows * extent.columns, width))
        x = b.apply("permute", x, name="width_first", dims=(0, 2, 1))
        x = b.apply("reshape", x, name="places", shape=(extent.images, width, extent.rows, extent.columns))
        for index in (1, 2):
            out = 2 * x.spec.shape[1]
            weight = b.parameter(f"downsampler{index}.weight", (out, x.spec.shape[1], 3, 3))
            bias = b.parameter(f"downsampler{index}.bias", (out,))
            x = b.apply("convolution", x, weight, bias, name=f"downsampler{index}", stride=(2, 2), padding=(1, 1))
        images, out, rows, columns = x.spec.shape
        x = b.apply("reshape", x, name="tokens_last", shape=(images, out, rows * columns))
        x = b.apply("permute", x, name="tokens", dims=(0, 2, 1))
        y: Value = b.apply("reshape", x, name="tokens_flat", shape=(images * rows * columns, out))
        return y


def describe(config: Config) -> Grid:
    """Returns the tower."""
    looking = Looking(
        config.num_attention_heads,
        module="self_attn",
        joint="",
        out="out_proj",
        turns="rotary_emb",
        dropout=config.attention_dropout,
        scales=("lambda_1", "lambda_2"),
    )
    return Grid(
        config.num_hidden_layers,
        config.hidden_size,
        config.num_channels,
        (config.patch_size, config.patch_size),
        1,
        looking,
        Mlp(config.inner, ACTIVATIONS[config.hidden_act], gated=False, up="fc1", down="fc2", bias=True),
        Norm(LAYER_NORM, bias=True),
        Downsampled(),
        patches="embeddings.patch_embedding",
        positions=Interpolated("embeddings.position_embedding", floor_div(config.image_size, config.patch_size)),
        second_norm="pre_layernorm",
        norms=("layernorm_before", "layernorm_after"),
        stack="layers",
    )


FOUND = tower_alone(
    "step3p5_vision",
    Config,
    describe,
    __file__,
    aliases={"width": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads"},
    no_cost=("intermediate_size", "layer_scale_init_value", "ls_init_value", "max_position_embeddings"),
    doc="The tower of Step 3.7: patches rotated by row and column, two convolutions after the layers.",
)
ARCHITECTURE = attrs.evolve(FOUND, sizes={"image_size": lambda config: (config.image_size, config.image_size)})
