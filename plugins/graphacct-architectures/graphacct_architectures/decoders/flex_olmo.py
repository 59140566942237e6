"""FlexOlmo: OLMo 2's attention and norms, experts that were trained apart.

Shi et al., 2025 (arXiv:2507.07024).
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.olmo2 import NORM, normed_last
from graphacct_architectures.decoders.olmoe import experts
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class FlexOlmoConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    vocab_size: Dim = fields.size(100352)
    max_position_embeddings: Dim = fields.size(4096)
    attention_bias: bool = fields.flag(False)
    num_experts: Dim = fields.size(7)
    num_experts_per_tok: Dim = fields.size(5)
    norm_topk_prob: bool = fields.flag(False)


def describe(config: FlexOlmoConfig) -> Decoder:
    """Returns a stack of equal layers."""
    layer = normed_last(config, rotated_attention(config, qk_norm="width"))
    layer = attrs.evolve(layer, feed_forward=experts(config))
    return around(config, layer, rotary_cast=False, norm_kind=NORM)


ARCHITECTURE = decoder(
    "flex_olmo",
    FlexOlmoConfig,
    describe,
    PresetFiles(__file__),
    aliases={"num_local_experts": "num_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE),
    doc="FlexOlmo: OLMo 2's layers with experts.",
)
