"""The tower of GLM-OCR: GLM-4.1V's without learned positions, with norms of queries and keys.

GLM-V Team, 2026 (GLM-OCR).
"""

from __future__ import annotations

from graphacct import Dim, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.multimodal.glm4v_vision import Sizes, tower
from graphacct_architectures.multimodal.parts.grid import Grid
from graphacct_architectures.multimodal.parts.grid_layers import Looking
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone

VISION = "GlmOcrVisionModel"


@frozen(kw_only=True)
class Config(Sizes):
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_size: Dim = fields.size(1024)
    attention_bias: bool = fields.flag(True)
    num_heads: Dim = fields.size(16)
    out_hidden_size: Dim = fields.size(1536)
    intermediate_size: Dim = fields.size(4096)


def describe(config: Config) -> Grid:
    """Returns the tower."""
    bias = config.attention_bias
    looking = Looking(config.num_heads, bias=bias, out_bias=bias, qk_norm=Norm(), dropout=config.attention_dropout)
    network = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], bias=bias)
    return tower(config, network, config.out_hidden_size * config.in_channels, looking)


ARCHITECTURE = tower_alone(
    "glm_ocr_vision",
    Config,
    describe,
    __file__,
    no_cost=("image_size",),
    doc="The tower of GLM-OCR: a grid of patches, whose squares a convolution makes tokens.",
)
