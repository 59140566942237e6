"""The tower of Qwen3.5: a grid of patches with learned positions.

Qwen Team, 2026 (Qwen3.5).
"""

from __future__ import annotations

import attrs

from graphacct import Dim, fields
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description import LAYER_NORM, Mlp, Norm
from graphacct_architectures.multimodal.parts.grid import Grid, Merger
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone

VISION = "Qwen3_5VisionModel"


@attrs.frozen(kw_only=True)
class Config:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    depth: Dim = fields.size(27)
    hidden_size: Dim = fields.size(1152)
    hidden_act: str = activation("gelu_pytorch_tanh")
    intermediate_size: Dim = fields.size(4304)
    num_heads: Dim = fields.size(16)
    in_channels: Dim = fields.size(3)
    patch_size: Dim = fields.size(16)
    spatial_merge_size: Dim = fields.size(2)
    temporal_patch_size: Dim = fields.size(2)
    out_hidden_size: Dim = fields.size(3584)
    num_position_embeddings: Dim = fields.size(2304)
    dtype: str | None = fields.dtype()


def describe(config: Config) -> Grid:
    """Returns the tower."""
    patch = (config.temporal_patch_size, config.patch_size, config.patch_size)
    return Grid(
        config.depth,
        config.hidden_size,
        config.num_heads,
        config.in_channels,
        patch,
        config.spatial_merge_size,
        config.out_hidden_size,
        Mlp(
            config.intermediate_size,
            ACTIVATIONS[config.hidden_act],
            gated=False,
            up="linear_fc1",
            down="linear_fc2",
            bias=True,
        ),
        Norm(LAYER_NORM, bias=True),
        Merger("norm", "linear_fc1", "linear_fc2"),
        patch_bias=True,
        positions=config.num_position_embeddings,
    )


ARCHITECTURE = tower_alone(
    "qwen3_5_vision",
    Config,
    describe,
    __file__,
    no_cost=("deepstack_visual_indexes",),
    doc="The tower of Qwen3.5: a grid of patches with learned positions.",
)
