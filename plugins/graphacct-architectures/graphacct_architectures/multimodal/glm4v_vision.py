"""The tower of GLM-4.1V: a grid of patches, normalized, with a table of positions sampled at each patch's place; a
convolution makes one token of a square of patches.

GLM-V Team, 2025 (arXiv:2507.01006).
"""

from __future__ import annotations

import attrs

from graphacct import Builder, Dim, Value, fields, floor_div, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.grid import Extent, Grid
from graphacct_architectures.multimodal.parts.grid_ends import Sampled, convolved
from graphacct_architectures.multimodal.parts.grid_layers import Looking
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone

VISION = "Glm4vVisionModel"


@frozen(kw_only=True)
class Sizes:
    """The sizes of this tower and of GLM-OCR's."""

    depth: Dim = fields.size(24)
    hidden_size: Dim = fields.size(1536)
    hidden_act: str = activation("silu")
    attention_bias: bool = fields.flag(False)
    attention_dropout: float = fields.probability(0.0)
    num_heads: Dim = fields.size(12)
    in_channels: Dim = fields.size(3)
    patch_size: Dim = fields.size(14)
    spatial_merge_size: Dim = fields.size(2)
    temporal_patch_size: Dim = fields.size(2)
    out_hidden_size: Dim = fields.size(4096)
    intermediate_size: Dim = fields.size(13696)
    dtype: str | None = fields.dtype()


@frozen(kw_only=True)
class Config(Sizes):
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    image_size: Dim = fields.size(336)


@frozen
class Merging:
    """A convolution over squares of patches, a projection with a norm, and a gated network, all as wide as the text.

    Attributes:
        merge: The side of a square.
        out: The tokens' width.
        hidden: The network's hidden width.
        operators: Its activation.
    """

    merge: Dim
    out: Dim
    hidden: Dim
    operators: str

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        x = convolved(b, "downsample", x, self.merge, self.out)
        with b.scope("merger"):
            x = linear(b, "proj", x, self.out, bias=False)
            x = b.apply("gelu", normed_by(b, "post_projection_norm", x, Norm(LAYER_NORM, bias=True)), name="act1")
            return mlp(Mlp(self.hidden, self.operators), b, x)


def tower(config: Sizes, network: Mlp, hidden: Dim, looking: Looking) -> Grid:
    """Returns the tower of some sizes, without what GLM-4.1V's adds to the patches."""
    operators = ACTIVATIONS[config.hidden_act]
    return Grid(
        config.depth,
        config.hidden_size,
        config.in_channels,
        (config.temporal_patch_size, config.patch_size, config.patch_size),
        config.spatial_merge_size,
        looking,
        network,
        Norm(),
        Merging(config.spatial_merge_size, config.out_hidden_size, hidden, operators),
        patch_bias=True,
        last_norm="post_layernorm",
    )


def describe(config: Config) -> Grid:
    """Returns the tower."""
    looking = Looking(config.num_heads, bias=config.attention_bias, out_bias=False, dropout=config.attention_dropout)
    network = Mlp(config.out_hidden_size, ACTIVATIONS[config.hidden_act])
    side = floor_div(config.image_size, config.patch_size)
    return attrs.evolve(
        tower(config, network, config.intermediate_size, looking),
        first_norm="post_conv_layernorm",
        positions=Sampled("embeddings.position_embedding", side),
    )


ARCHITECTURE = tower_alone(
    "glm4v_vision",
    Config,
    describe,
    __file__,
    doc="The tower of GLM-4.1V: a grid of patches with sampled positions, whose squares a convolution makes tokens.",
)
