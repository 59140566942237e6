"""MoonViT, Kimi-VL's tower: a grid of patches of any size with interpolated positions, rows and columns that rotate
queries and keys, squares of patches as one.

Kimi Team, 2025 (arXiv:2504.07491); names as in the model's repository, whose code the class is.
"""

from __future__ import annotations

from graphacct import Builder, ConfigError, Dim, Value, equal, fields, frozen, same
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.parts.grid import Extent, Grid
from graphacct_architectures.multimodal.parts.grid_layers import Looking
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone
from graphacct_architectures.multimodal.parts.siglip_grid import squares

VISION = "MoonVitPretrainedModel"


@frozen(kw_only=True)
class Merged:
    """The key of the patches that become one token."""

    merge_kernel_size: tuple[Dim, Dim] = fields.sides(2)

    @property
    def spatial_merge_size(self) -> Dim:
        """The side of the squares of patches that become one token. Raises ConfigError unless they are squares."""
        high, wide = self.merge_kernel_size
        if not equal(high, wide):
            raise ConfigError(f"merge_kernel_size is {[high, wide]}: squares of patches become one token")
        return high


@frozen(kw_only=True)
class Config(Merged):
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    patch_size: Dim = fields.size(14)
    init_pos_emb_height: Dim = fields.size(64)
    init_pos_emb_width: Dim = fields.size(64)
    num_attention_heads: Dim = fields.size(16)
    num_hidden_layers: Dim = fields.size(27)
    hidden_size: Dim = fields.size(1152)
    intermediate_size: Dim = fields.size(4304)
    dtype: str | None = fields.dtype()


@frozen
class Learned:
    """A table of positions, interpolated to an image's rows and columns unless it has as many.

    Attributes:
        name: The table's name.
        high, wide: Its rows and columns.
    """

    name: str
    high: Dim
    wide: Dim

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        width = x.spec.shape[-1]
        y = b.parameter(f"{self.name}.weight", (self.high, self.wide, width))
        each = extent.rows * extent.columns
        if same(self.high, extent.rows) and same(self.wide, extent.columns):
            y = b.apply("reshape", y, name="positions", shape=(each, width))
        else:
            y = b.apply("permute", y, name="positions_by_width", dims=(2, 0, 1))
            y = b.apply("reshape", y, name="position_image", shape=(1, width, self.high, self.wide))
            y = b.apply("upsample_bicubic", y, name="interpolated", size=(extent.rows, extent.columns))
            y = b.apply("reshape", y, name="interpolated_flat", shape=(width, each))
            y = b.apply("permute", y, name="positions", dims=(1, 0))
        y = b.apply("expand", y, name="positions_of_images", shape=(extent.images, each, width))
        y = b.apply("reshape", y, name="all_positions", shape=(extent.count, width))
        found: Value = b.apply("add", x, y, name="with_positions")
        return found


@frozen
class Squared:
    """Squares of patches as one row each.

    Attributes:
        merge: Their side.
    """

    merge: Dim

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        return squares(b, x, extent, self.merge)


def describe(config: Config) -> Grid:
    """Returns the tower."""
    network = Mlp(config.intermediate_size, "gelu_tanh", gated=False, up="fc0", down="fc1", bias=True)
    return Grid(
        config.num_hidden_layers,
        config.hidden_size,
        3,
        (config.patch_size, config.patch_size),
        config.spatial_merge_size,
        Looking(config.num_attention_heads, module="", joint="wqkv", out="wo", turns="encoder.rope_2d"),
        network,
        Norm(LAYER_NORM, bias=True),
        Squared(config.spatial_merge_size),
        patch_bias=True,
        positions=Learned("patch_embed.pos_emb", config.init_pos_emb_height, config.init_pos_emb_width),
        norms=("norm0", "norm1"),
        stack="encoder.blocks",
        last_norm="encoder.final_layernorm",
    )


ARCHITECTURE = tower_alone(
    "moonvit",
    Config,
    describe,
    __file__,
    aliases={},
    doc="MoonViT: a grid of patches with interpolated positions, rotated by row and column.",
)
