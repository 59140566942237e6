"""Solar Open: Llama's attention, DeepSeek-V3's experts in every layer.

Upstage, "Solar Open", 2026; names and order as in the transformers library's SolarOpenForCausalLM.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.glm4_moe import CorrectedConfig
from graphacct_architectures.decoders.parts.deepseek import corrected_experts
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class SolarOpenConfig(CorrectedConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(196608)
    num_hidden_layers: Dim = fields.size(48)
    num_attention_heads: Dim = fields.size(64)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(131072)
    moe_intermediate_size: Dim = fields.size(1280)
    n_routed_experts: Dim = fields.size(128)
    n_shared_experts: Dim = fields.stated_size(1)
    num_experts_per_tok: Dim | None = fields.optional_size(8)


def describe(config: SolarOpenConfig) -> Decoder:
    """Returns a stack of equal layers."""
    return around(config, Layer(rotated_attention(config, out_bias=False), corrected_experts(config)))


ARCHITECTURE = decoder(
    "solar_open",
    SolarOpenConfig,
    describe,
    PresetFiles(__file__),
    aliases={"num_local_experts": "n_routed_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE),
    doc="Solar Open: Llama's attention, DeepSeek-V3's experts.",
)
