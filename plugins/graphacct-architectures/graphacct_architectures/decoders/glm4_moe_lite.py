"""GLM-4.7-Flash: DeepSeek-V3's attention and experts, with a list of which layers have experts.

Names and order as in the transformers library's Glm4MoeLiteForCausalLM.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.deepseek_v3 import DeepseekV3Config
from graphacct_architectures.decoders.parts.deepseek import ATTENTION, corrected_experts, deepseek, inexact
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.sparse import network_types, sparse_layers
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class Glm4MoeLiteConfig(DeepseekV3Config):
    """The keys of the published config.json that the cost depends on. Without `mlp_layer_types` the first layer has one
    network."""

    vocab_size: Dim = fields.size(154880)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(10240)
    num_hidden_layers: Dim = fields.size(47)
    num_attention_heads: Dim = fields.size(20)
    max_position_embeddings: Dim = fields.size(202752)
    kv_lora_rank: Dim = fields.size(512)
    q_lora_rank: Dim | None = fields.optional_size(768)
    qk_nope_head_dim: Dim = fields.size(192)
    v_head_dim: Dim = fields.size(256)
    moe_intermediate_size: Dim = fields.size(1536)
    n_routed_experts: Dim = fields.size(64)
    num_experts_per_tok: Dim | None = fields.optional_size(4)
    n_group: Dim = fields.size(1)
    topk_group: Dim = fields.size(1)
    mlp_layer_types: tuple[bool, ...] | None = network_types()


def describe(config: Glm4MoeLiteConfig) -> Decoder:
    """Returns layers with experts where the list says so."""
    sparse = sparse_layers(config.mlp_layer_types, config.num_hidden_layers, lambda index: index > 0)
    dense = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act])
    return deepseek(config, corrected_experts(config), dense, sparse=sparse)


ARCHITECTURE = decoder(
    "glm4_moe_lite",
    Glm4MoeLiteConfig,
    describe,
    PresetFiles(__file__),
    **ATTENTION,
    inexact=inexact,
    aliases={"num_local_experts": "n_routed_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE),
    no_cost={"qk_head_dim": None, "scoring_func": ("sigmoid",), "head_dim": None, "partial_rotary_factor": (1,)},
    doc="GLM-4.7-Flash: DeepSeek-V3's attention and experts.",
)
