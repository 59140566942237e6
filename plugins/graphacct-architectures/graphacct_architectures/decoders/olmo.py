"""OLMo's first version: Llama's layers with LayerNorm that has no weights, in some models with clamped queries, keys
and values.

Groeneveld et al., 2024 (arXiv:2402.00838).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, number
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE

NORM = Norm(LAYER_NORM, weight=False, cast=True)


@frozen(kw_only=True)
class OlmoConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    vocab_size: Dim = fields.size(50304)
    attention_bias: bool = fields.flag(False)
    clip_qkv: float | None = number(None)


def describe(config: OlmoConfig) -> Decoder:
    """Returns a stack of equal layers."""
    attention = rotated_attention(config, clamped=config.clip_qkv is not None)
    return around(config, Layer(attention, network(config), NORM), norm_kind=NORM, rotary_cast=False)


ARCHITECTURE = decoder(
    "olmo",
    OlmoConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE, SEQUENCE),
    doc="OLMo: Llama's layers, LayerNorm without weights.",
)
