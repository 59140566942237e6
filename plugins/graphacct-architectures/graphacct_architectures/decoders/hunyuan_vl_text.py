"""The text model of HunyuanOCR: Hunyuan's, rotated in float32.

Tencent Hunyuan Team, 2025 (HunyuanOCR).
"""

from __future__ import annotations

import attrs

from graphacct import PresetFiles, fields, frozen
from graphacct_architectures.decoders.hunyuan_v1_dense import SWITCHES, HunyuanConfig, normed_last
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.usual import around, network
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class HunyuanVLTextConfig(HunyuanConfig):
    """The keys of the published config.json that the cost depends on."""

    tie_word_embeddings: bool = fields.flag(True)


def describe(config: HunyuanVLTextConfig) -> Decoder:
    """Returns a stack of equal layers."""
    attention = attrs.evolve(normed_last(config), rotary_wide=True)
    return around(config, Layer(attention, network(config)))


ARCHITECTURE = decoder(
    "hunyuan_vl_text",
    HunyuanVLTextConfig,
    describe,
    PresetFiles(__file__),
    stem="HunYuanVLText",
    classes=(CAUSAL, ALONE),
    aliases={"attention_head_dim": "head_dim", "org_vocab_size": "vocab_size"},
    no_cost={**SWITCHES, "num_experts": (1,)},
    doc="HunyuanOCR's text model: Llama's layers, queries and keys normalized after they are rotated.",
)
