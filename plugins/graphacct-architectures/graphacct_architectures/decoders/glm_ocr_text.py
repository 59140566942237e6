"""The text model of GLM-OCR: GLM-4V's without biases.

GLM-V Team, 2026 (GLM-OCR).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.glm4 import glm_text
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, fraction, rotary_dims
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class GlmOcrTextConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(59392)
    hidden_size: Dim = fields.size(1024)
    intermediate_size: Dim = fields.size(4096)
    num_hidden_layers: Dim = fields.size(16)
    num_attention_heads: Dim = fields.size(16)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    max_position_embeddings: Dim = fields.size(131072)
    partial_rotary_factor: float = fraction(1.0)


def describe(config: GlmOcrTextConfig) -> Decoder:
    """Returns the layers."""
    return glm_text(config, rotary_dims(config), bias=False)


ARCHITECTURE = decoder(
    "glm_ocr_text",
    GlmOcrTextConfig,
    describe,
    PresetFiles(__file__),
    stem="GlmOcrText",
    classes=(CAUSAL, ALONE),
    no_cost={"num_nextn_predict_layers": None},
    doc="GLM-OCR's text model: norms around each part, joint gate, no biases.",
)
