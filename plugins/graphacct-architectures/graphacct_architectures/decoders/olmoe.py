"""OLMoE: Llama's layers with one norm over all queries and one over all keys, small experts in every layer.

Muennighoff et al., 2024 (arXiv:2409.02060).
"""

from __future__ import annotations

from typing import Any

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, number
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class OlmoeConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(50304)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(2048)
    num_hidden_layers: Dim = fields.size(16)
    num_attention_heads: Dim = fields.size(16)
    max_position_embeddings: Dim = fields.size(4096)
    attention_bias: bool = fields.flag(False)
    clip_qkv: float | None = number(None)
    num_experts: Dim = fields.size(64)
    num_experts_per_tok: Dim = fields.size(8)
    norm_topk_prob: bool = fields.flag(False)


def experts(config: Any) -> Experts:
    """Returns experts as wide as `intermediate_size`, whose weights are cast to the stream's dtype before use."""
    return Experts(
        config.num_experts,
        at_most(config.num_experts_per_tok, config.num_experts, "num_experts_per_tok, num_experts"),
        config.intermediate_size,
        ACTIVATIONS[config.hidden_act],
        normalised=config.norm_topk_prob,
        downcast=True,
    )


def describe(config: OlmoeConfig) -> Decoder:
    """Returns a stack of equal layers."""
    attention = rotated_attention(config, qk_norm="width", clamped=config.clip_qkv is not None)
    return around(config, Layer(attention, experts(config)))


ARCHITECTURE = decoder(
    "olmoe",
    OlmoeConfig,
    describe,
    PresetFiles(__file__),
    aliases={"num_local_experts": "num_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE),
    doc="OLMoE: normed queries and keys, small experts in every layer.",
)
