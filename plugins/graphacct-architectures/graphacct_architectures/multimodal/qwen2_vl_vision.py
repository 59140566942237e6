"""The tower of Qwen2-VL: a grid of patches of any size.

Wang et al., 2024 (arXiv:2409.12191).
"""

from __future__ import annotations

from graphacct import Dim, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.parts.grid import Grid
from graphacct_architectures.multimodal.parts.grid_ends import Merger
from graphacct_architectures.multimodal.parts.grid_layers import Looking
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone

VISION = "Qwen2VisionTransformerPretrainedModel"


@frozen(kw_only=True)
class Config:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    depth: Dim = fields.size(32)
    embed_dim: Dim = fields.size(1280)
    hidden_size: Dim = fields.size(3584)
    hidden_act: str = activation("quick_gelu")
    mlp_ratio: Dim = fields.size(4)
    num_heads: Dim = fields.size(16)
    in_channels: Dim = fields.size(3)
    patch_size: Dim = fields.size(14)
    spatial_merge_size: Dim = fields.size(2)
    temporal_patch_size: Dim = fields.size(2)
    dtype: str | None = fields.dtype()


def describe(config: Config) -> Grid:
    """Returns the tower."""
    patch = (config.temporal_patch_size, config.patch_size, config.patch_size)
    norm = Norm(LAYER_NORM, bias=True)
    return Grid(
        config.depth,
        config.embed_dim,
        config.in_channels,
        patch,
        config.spatial_merge_size,
        Looking(config.num_heads),
        Mlp(
            config.embed_dim * config.mlp_ratio,
            ACTIVATIONS[config.hidden_act],
            gated=False,
            up="fc1",
            down="fc2",
            bias=True,
        ),
        norm,
        Merger(config.spatial_merge_size, config.hidden_size, norm, "ln_q", "mlp.0", "mlp.2"),
    )


ARCHITECTURE = tower_alone(
    "qwen2_vl_vision", Config, describe, __file__, doc="The tower of Qwen2-VL: a grid of patches of any size."
)
