"""The tower of ERNIE 4.5 VL: Qwen2-VL's without frames and without a merger.

Baidu ERNIE Team, "ERNIE 4.5 Technical Report", 2025.
"""

from __future__ import annotations

from graphacct import Dim, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.parts.grid import Grid
from graphacct_architectures.multimodal.parts.grid_layers import Looking
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone

VISION = "Ernie4_5_VLMoeVisionTransformerPretrainedModel"


@frozen(kw_only=True)
class Config:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    depth: Dim = fields.size(32)
    hidden_size: Dim = fields.size(1280)
    hidden_act: str = activation("quick_gelu")
    intermediate_size: Dim = fields.size(5120)
    num_heads: Dim = fields.size(16)
    in_channels: Dim = fields.size(3)
    patch_size: Dim = fields.size(14)
    spatial_merge_size: Dim = fields.size(2)
    temporal_merge_size: Dim = fields.size(2)
    dtype: str | None = fields.dtype()


def describe(config: Config) -> Grid:
    """Returns the tower."""
    operators = ACTIVATIONS[config.hidden_act]
    return Grid(
        config.depth,
        config.hidden_size,
        config.in_channels,
        (config.patch_size, config.patch_size),
        config.spatial_merge_size,
        Looking(config.num_heads),
        Mlp(config.intermediate_size, operators, gated=False, up="fc1", down="fc2", bias=True),
        Norm(LAYER_NORM, bias=True),
        flat=True,
        last_norm="ln",
        together=2,
    )


ARCHITECTURE = tower_alone(
    "ernie4_5_vl_moe_vision",
    Config,
    describe,
    __file__,
    no_cost=("temporal_patch_size", "mlp_ratio", "embed_dim"),
    doc="The tower of ERNIE 4.5 VL: a grid of patches.",
)
