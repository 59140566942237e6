"""Mistral 4: DeepSeek-V3's latent attention with queries scaled by their position, experts chosen by a softmax among
the best groups.

Mistral AI, "Mistral Small 4", 2026; names and order as in the transformers library's Mistral4ForCausalLM.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.ministral3 import check_settings
from graphacct_architectures.decoders.parts.deepseek import ATTENTION, LatentConfig, deepseek
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS


@frozen(kw_only=True)
class Mistral4Config(LatentConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(131072)
    intermediate_size: Dim = fields.size(12288)
    moe_intermediate_size: Dim = fields.size(2048)
    num_hidden_layers: Dim = fields.size(36)
    max_position_embeddings: Dim = fields.size(1048576)
    n_routed_experts: Dim = fields.size(128)
    n_shared_experts: Dim = fields.stated_size(1)
    num_experts_per_tok: Dim | None = fields.optional_size(4)
    kv_lora_rank: Dim = fields.size(256)
    q_lora_rank: Dim | None = fields.optional_size(1024)
    qk_nope_head_dim: Dim = fields.size(64)
    n_group: Dim = fields.size(1)
    topk_group: Dim = fields.size(1)
    norm_topk_prob: bool = fields.flag(True)


def describe(config: Mistral4Config) -> Decoder:
    """Returns dense layers first, and then layers with experts, whose router runs in the model's dtype."""
    check_settings(config.rope_parameters)
    activation = ACTIVATIONS[config.hidden_act]
    experts = Experts(
        config.n_routed_experts,
        config.per_token,
        config.moe_intermediate_size,
        activation,
        softmax_narrow=True,
        groups_by_two=True,
        grouped=True,
        groups=config.n_group,
        chosen_groups=config.topk_group,
        normalised=config.norm_topk_prob,
        above_zero="shift",
        scaled=True,
        shared=Mlp(config.n_shared_experts * config.moe_intermediate_size, activation, module="shared_experts"),
    )
    return deepseek(config, experts, Mlp(config.intermediate_size, activation), position_scaled=True)


ARCHITECTURE = decoder(
    "mistral4",
    Mistral4Config,
    describe,
    PresetFiles(__file__),
    **ATTENTION,
    aliases={"num_local_experts": "n_routed_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    no_cost={"head_dim": None, "qk_head_dim": None},
    doc="Mistral 4: latent attention, queries scaled by position, experts chosen by a softmax.",
)
