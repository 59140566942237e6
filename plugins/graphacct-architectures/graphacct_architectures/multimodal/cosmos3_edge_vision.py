"""The tower of Cosmos 3 Edge: SigLIP 2's layers over a grid of patches, with positions interpolated to its size.

NVIDIA, 2026 (Cosmos 3).
"""

from __future__ import annotations

from graphacct import Builder, Dim, Value, exact_div, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.multimodal.parts.grid import Extent, Grid
from graphacct_architectures.multimodal.parts.grid_ends import table
from graphacct_architectures.multimodal.parts.projector import square_side
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone
from graphacct_architectures.multimodal.parts.siglip_grid import siglip_grid

VISION = "Cosmos3EdgeVisionModel"


@frozen(kw_only=True)
class Config:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_size: Dim = fields.size(1152)
    intermediate_size: Dim = fields.size(4304)
    num_hidden_layers: Dim = fields.size(27)
    num_attention_heads: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    patch_size: Dim = fields.size(16)
    hidden_act: str = activation("gelu_pytorch_tanh")
    attention_dropout: float = fields.probability(0.0)
    num_patches: Dim = fields.size(256)
    spatial_merge_size: Dim = fields.size(2)
    dtype: str | None = fields.dtype()


@frozen
class Resized:
    """A square table, interpolated to an image's rows and columns, in the order of its squares of patches.

    Attributes:
        name: The table's name.
        side: The square's side.
        merge: The side of a square of patches.
    """

    name: str
    side: Dim
    merge: Dim

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        width, merge = x.spec.shape[-1], self.merge
        y = table(b, self.name, self.side, width)
        y = b.apply("expand", y, name="positions_of_images", shape=(extent.images, width, self.side, self.side))
        y = b.apply("upsample_linear_antialiased", y, name="resized", size=(extent.rows, extent.columns))
        y = b.apply("permute", y, name="resized_last", dims=(0, 2, 3, 1))
        if b.dtype != "float32":
            y = b.apply("cast", y, name="resized_narrowed", dtype=b.dtype)
        high, wide = (exact_div(side, merge, "patches / merge") for side in (extent.rows, extent.columns))
        y = b.apply("reshape", y, name="resized_squares", shape=(extent.images, high, merge, wide, merge, width))
        y = b.apply("transpose", y, name="resized_in_order", dims=(2, 3))
        y = b.apply("reshape", y, name="positions", shape=(extent.count, width))
        y = b.apply("concat", y, name="all_positions", dim=0)
        found: Value = b.apply("add", x, y, name="with_positions")
        return found


def describe(config: Config) -> Grid:
    """Returns the tower."""
    merge = config.spatial_merge_size
    side = square_side(config.num_patches)
    return siglip_grid(
        config, merge, turns="", flat=True, positions=Resized("embeddings.position_embedding", side, merge)
    )


ARCHITECTURE = tower_alone(
    "cosmos3_edge_vision",
    Config,
    describe,
    __file__,
    aliases={},
    doc="The tower of Cosmos 3 Edge: SigLIP 2's layers over a grid of patches.",
)
