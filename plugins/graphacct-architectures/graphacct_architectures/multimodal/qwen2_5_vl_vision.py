"""The tower of Qwen2.5-VL: a grid of patches, most layers in windows.

Bai et al., 2025 (arXiv:2502.13923).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.multimodal.parts.grid import Grid
from graphacct_architectures.multimodal.parts.grid_ends import Merger
from graphacct_architectures.multimodal.parts.grid_layers import Looking
from graphacct_architectures.multimodal.parts.qwen_vl import indices, tower_alone

VISION = "Qwen2_5_VisionTransformerPretrainedModel"


@frozen(kw_only=True)
class Config:
    """The tower's keys that the cost depends on."""

    joint: ClassVar[str] = "qkv"
    """The name of one projection for q, k and v together; empty if they are three."""

    architectures: str = fields.model_class(VISION, (VISION,))
    depth: Dim = fields.size(32)
    hidden_size: Dim = fields.size(3584)
    hidden_act: str = activation("silu")
    intermediate_size: Dim = fields.size(3420)
    num_heads: Dim = fields.size(16)
    in_channels: Dim = fields.size(3)
    patch_size: Dim = fields.size(14)
    spatial_merge_size: Dim = fields.size(2)
    temporal_patch_size: Dim = fields.size(2)
    window_size: Dim = fields.size(112)
    out_hidden_size: Dim = fields.size(3584)
    fullatt_block_indexes: tuple[int, ...] = indices((7, 15, 23, 31))
    dtype: str | None = fields.dtype()


def describe(config: Config) -> Grid:
    """Returns the tower."""
    patch = (config.temporal_patch_size, config.patch_size, config.patch_size)
    return Grid(
        config.depth,
        config.hidden_size,
        config.in_channels,
        patch,
        config.spatial_merge_size,
        Looking(config.num_heads, joint=config.joint, apart=("q", "k", "v")),
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], bias=True),
        Norm(),
        Merger(config.spatial_merge_size, config.out_hidden_size, Norm(), "ln_q", "mlp.0", "mlp.2"),
        window=config.window_size,
        whole=config.fullatt_block_indexes,
    )


ARCHITECTURE = tower_alone(
    "qwen2_5_vl_vision",
    Config,
    describe,
    __file__,
    doc="The tower of Qwen2.5-VL: a grid of patches, most layers in windows.",
)
