"""Hunyuan 3: normed queries and keys, experts chosen by corrected sigmoids beside a shared network.

Tencent Hunyuan Team, 2026; names and order as in the transformers library's HYV3ForCausalLM.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Correction, Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.router import SIGMOID
from graphacct_architectures.decoders.parts.sparse import at_most, network_types, sparse_layers
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class HYV3Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on. Without `mlp_layer_types` the first layer has one
    network."""

    vocab_size: Dim = fields.size(120832)
    intermediate_size: Dim = fields.size(13312)
    num_hidden_layers: Dim = fields.size(80)
    num_attention_heads: Dim = fields.size(64)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(131072)
    attention_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)
    num_experts: Dim = fields.size(192)
    num_experts_per_tok: Dim = fields.size(8)
    num_shared_experts: Dim = fields.size(1)
    moe_intermediate_size: Dim = fields.size(1536)
    enable_moe_fp32_combine: bool = fields.flag(True)
    mlp_layer_types: tuple[bool, ...] | None = network_types()


def describe(config: HYV3Config) -> Decoder:
    """Returns layers with experts where the list says so."""
    activation = ACTIVATIONS[config.hidden_act]
    width = config.moe_intermediate_size * config.num_shared_experts
    experts = Experts(
        config.num_experts,
        at_most(config.num_experts_per_tok, config.num_experts, "num_experts_per_tok, num_experts"),
        config.moe_intermediate_size,
        activation,
        router_upcast=True,
        scoring=SIGMOID,
        correction=True,
        corrected_by=Correction(beside=True, wide=False),
        normalised=True,
        above_zero="shift",
        scaled=True,
        shared=Mlp(width, activation, module="shared_experts", bias=config.mlp_bias),
        shared_wide=config.enable_moe_fp32_combine,
    )
    attention, dense = rotated_attention(config, qk_norm="head"), network(config)
    sparse = sparse_layers(config.mlp_layer_types, config.num_hidden_layers, lambda index: index > 0)
    return around(config, tuple(Layer(attention, experts if has else dense) for has in sparse))


ARCHITECTURE = decoder(
    "hy_v3",
    HYV3Config,
    describe,
    PresetFiles(__file__),
    aliases={"num_local_experts": "num_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE),
    no_cost={"router_scaling_factor": None},
    doc="Hunyuan 3: normed queries and keys, experts chosen by corrected sigmoids.",
)
