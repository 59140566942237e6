"""The tower of PaddleOCR-VL: SigLIP's layers over a grid of patches, with positions read between those of a table and
queries and keys rotated by row and column.

Cui et al., 2025 (arXiv:2510.14528).
"""

from __future__ import annotations

import attrs

from graphacct import Dim, fields, floor_div, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.multimodal.parts.grid import Grid
from graphacct_architectures.multimodal.parts.grid_ends import Corners
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone
from graphacct_architectures.multimodal.parts.siglip_grid import siglip_grid

VISION = "PaddleOCRVisionModel"


@frozen(kw_only=True)
class Config:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_size: Dim = fields.size(1152)
    intermediate_size: Dim = fields.size(4304)
    num_hidden_layers: Dim = fields.size(27)
    num_attention_heads: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    image_size: Dim = fields.size(384)
    patch_size: Dim = fields.size(14)
    hidden_act: str = activation("gelu_pytorch_tanh")
    attention_dropout: float = fields.probability(0.0)
    spatial_merge_size: Dim = fields.size(2)
    dtype: str | None = fields.dtype()


def describe(config: Config) -> Grid:
    """Returns the tower, which leaves it to the projector to make one token of a square of patches."""
    side = floor_div(config.image_size, config.patch_size)
    return attrs.evolve(
        siglip_grid(config, config.spatial_merge_size, turns="encoder.rotary_pos_emb"),
        positions=Corners("embeddings.position_embedding", side * side),
        module="vision_model",
    )


ARCHITECTURE = tower_alone(
    "paddleocr_vl_vision",
    Config,
    describe,
    __file__,
    aliases={},
    doc="The tower of PaddleOCR-VL: SigLIP's layers over a grid of patches, rotated by row and column.",
)
