"""The text model of GLM-4.1V and GLM-4.5V's smaller relatives: GLM-4 of 2025, with a width of heads that follows from
the stream's.

GLM-V Team, 2025 (arXiv:2507.01006).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.glm4 import glm_text
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.family import (
    DecoderConfig,
    decoder,
    fraction,
    rotary_dims,
    width_over_heads,
)
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class Glm4vTextConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(151552)
    intermediate_size: Dim = fields.size(13696)
    num_hidden_layers: Dim = fields.size(40)
    num_key_value_heads: Dim | None = fields.optional_size(2)
    max_position_embeddings: Dim = fields.size(32768)
    partial_rotary_factor: float = fraction(1.0)
    attention_bias: bool = fields.flag(True)
    bias_by: ClassVar[str] = ""
    """The key that says whether the projections of q, k and v have biases; empty if they always have."""

    @property
    def d_head(self) -> Dim:
        """The width of a head."""
        return width_over_heads(self)


def describe(config: Glm4vTextConfig) -> Decoder:
    """Returns the layers, whose projections of q, k and v have biases."""
    return glm_text(config, rotary_dims(config), bias=getattr(config, config.bias_by) if config.bias_by else True)


ARCHITECTURE = decoder(
    "glm4v_text",
    Glm4vTextConfig,
    describe,
    PresetFiles(__file__),
    stem="Glm4vText",
    classes=(CAUSAL, ALONE),
    doc="GLM-4V's text model: norms around each part, joint gate.",
)
