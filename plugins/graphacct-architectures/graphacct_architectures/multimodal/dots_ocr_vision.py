"""The tower of dots.ocr: a grid of patches through layers with gated networks and RMSNorm, squares of patches as one.

Li et al., 2025 (arXiv:2512.02498); names as in the model's repository, whose code the class is.
"""

from __future__ import annotations

from graphacct import Dim, fields, frozen
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.parts.grid import Grid
from graphacct_architectures.multimodal.parts.grid_ends import Merger
from graphacct_architectures.multimodal.parts.grid_layers import Looking
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone

VISION = "DotsVisionTransformer"


@frozen(kw_only=True)
class Config:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    embed_dim: Dim = fields.size(1536)
    hidden_size: Dim = fields.size(1536)
    intermediate_size: Dim = fields.size(4224)
    num_hidden_layers: Dim = fields.size(42)
    num_attention_heads: Dim = fields.size(12)
    num_channels: Dim = fields.size(3)
    patch_size: Dim = fields.size(14)
    spatial_merge_size: Dim = fields.size(2)
    temporal_patch_size: Dim = fields.size(1)
    use_bias: bool = fields.flag(False)
    post_norm: bool = fields.flag(True)
    is_causal: bool = fields.always(False)
    dtype: str | None = fields.dtype()


def describe(config: Config) -> Grid:
    """Returns the tower, which reads the first of a patch's frames."""
    bias = config.use_bias
    merger = Merger(
        config.spatial_merge_size, config.hidden_size, Norm(LAYER_NORM, bias=True), "ln_q", "mlp.0", "mlp.2"
    )
    return Grid(
        config.num_hidden_layers,
        config.embed_dim,
        config.num_channels,
        (config.patch_size, config.patch_size),
        config.spatial_merge_size,
        Looking(config.num_attention_heads, bias=bias, out_bias=bias),
        Mlp(config.intermediate_size, "silu", gate="fc1", up="fc3", down="fc2", bias=bias),
        Norm(),
        merger,
        patches="patch_embed.patchifier.proj",
        patch_bias=True,
        first_norm="patch_embed.patchifier.norm",
        last_norm="post_trunk_norm" if config.post_norm else "",
    )


ARCHITECTURE = tower_alone(
    "dots_vit",
    Config,
    describe,
    __file__,
    aliases={},
    no_cost=("init_merger_std", "rms_norm_eps", "attn_implementation", "gradient_checkpointing"),
    doc="The tower of dots.ocr: a grid of patches, gated networks, squares of patches as one.",
)
