"""The tower of MiniMax M3: CLIP's layers over a grid of patches, two frames deep, rotated by frame, row and column.

MiniMax, 2026 (MiniMax-M3).
"""

from __future__ import annotations

from graphacct import Dim, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.parts.grid import Grid
from graphacct_architectures.multimodal.parts.grid_layers import Looking
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone

VISION = "MiniMaxM3VLVisionModel"


@frozen(kw_only=True)
class Config:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_size: Dim = fields.size(1280)
    intermediate_size: Dim = fields.size(5120)
    num_hidden_layers: Dim = fields.size(32)
    num_attention_heads: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    patch_size: Dim = fields.size(14)
    temporal_patch_size: Dim = fields.size(2)
    spatial_merge_size: Dim = fields.size(2)
    hidden_act: str = activation("gelu")
    attention_dropout: float = fields.probability(0.0)
    dtype: str | None = fields.dtype()


def describe(config: Config) -> Grid:
    """Returns the tower."""
    looking = Looking(
        config.num_attention_heads,
        module="self_attn",
        joint="",
        out="out_proj",
        turns="rotary_emb",
        dropout=config.attention_dropout,
        axes=3,
        turned_narrow=True,
    )
    operators = ACTIVATIONS[config.hidden_act]
    return Grid(
        config.num_hidden_layers,
        config.hidden_size,
        config.num_channels,
        (config.temporal_patch_size, config.patch_size, config.patch_size),
        config.spatial_merge_size,
        looking,
        Mlp(config.intermediate_size, operators, gated=False, up="fc1", down="fc2", bias=True),
        Norm(LAYER_NORM, bias=True),
        patches="embeddings.proj",
        first_norm="pre_layrnorm",
        norms=("layer_norm1", "layer_norm2"),
        stack="layers",
        joined=True,
    )


ARCHITECTURE = tower_alone(
    "minimax_m3_vl_vision",
    Config,
    describe,
    __file__,
    aliases={},
    no_cost=("image_size",),
    doc="The tower of MiniMax M3: CLIP's layers over a grid of patches, rotated by frame, row and column.",
)
