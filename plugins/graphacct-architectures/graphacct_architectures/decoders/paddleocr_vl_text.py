"""The text model of PaddleOCR-VL: ERNIE 4.5's layers, rotated as Llama's are.

Cui et al., 2025 (arXiv:2510.14528).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.ernie4_5 import ErnieDenseConfig
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class PaddleOCRTextConfig(ErnieDenseConfig):
    """The keys of the published config.json that the cost depends on."""

    num_key_value_heads: Dim | None = fields.optional_size(2)


def describe(config: PaddleOCRTextConfig) -> Decoder:
    """Returns a stack of equal layers, whose attention drops no weights."""
    bias = config.use_bias
    attention = rotated_attention(config, bias=bias, out_bias=bias, dropout=0.0)
    return around(config, Layer(attention, network(config, bias=bias)))


ARCHITECTURE = decoder(
    "paddleocr_vl_text",
    PaddleOCRTextConfig,
    describe,
    PresetFiles(__file__),
    stem="PaddleOCRText",
    classes=(CAUSAL, ALONE),
    doc="PaddleOCR-VL's text model: Llama's layers, biases everywhere or nowhere.",
)
