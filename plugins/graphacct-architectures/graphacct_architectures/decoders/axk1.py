"""A.X K1: DeepSeek-V3's attention and experts, with a norm of the experts' output.

SK Telecom, "A.X K1", 2026; names and order as in the transformers library's AXK1ForCausalLM.
"""

from __future__ import annotations

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.deepseek_v3 import DeepseekV3Config
from graphacct_architectures.decoders.parts.deepseek import ATTENTION, corrected_experts, deepseek, inexact
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.sparse import network_types, sparse_layers
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS


@frozen(kw_only=True)
class AXK1Config(DeepseekV3Config):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(163840)
    num_attention_heads: Dim = fields.size(64)
    max_position_embeddings: Dim = fields.size(32768)
    first_k_dense_replace: Dim = fields.size(1, minimum=0)
    moe_layer_freq: int = fields.size(1)
    n_routed_experts: Dim = fields.size(192)
    q_lora_rank: Dim = fields.stated_size(1536)
    mlp_layer_types: tuple[bool, ...] | None = network_types()


def describe(config: AXK1Config) -> Decoder:
    """Returns layers with experts where the list says so, or every `moe_layer_freq`th after the first ones."""
    first, every = config.first_k_dense_replace, config.moe_layer_freq

    def usual(index: int) -> bool:
        return bool(index >= first and index % every == 0)

    sparse = sparse_layers(config.mlp_layer_types, config.num_hidden_layers, usual)
    experts = attrs.evolve(corrected_experts(config), out_norm="post_mlp_layernorm")
    return deepseek(config, experts, Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act]), sparse=sparse)


ARCHITECTURE = decoder(
    "axk1",
    AXK1Config,
    describe,
    PresetFiles(__file__),
    **ATTENTION,
    inexact=inexact,
    aliases={"num_local_experts": "n_routed_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    no_cost={"qk_head_dim": None, "scoring_func": ("sigmoid",), "topk_method": ("noaux_tc",)},
    doc="A.X K1: DeepSeek-V3's layers, a norm of the experts' output.",
)
