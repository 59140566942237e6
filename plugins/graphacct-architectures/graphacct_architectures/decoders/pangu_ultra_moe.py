"""openPangu-Ultra-MoE: DeepSeek-V3's attention and experts without groups and corrections, with norms of both outputs.

Huawei, "Pangu Ultra MoE", 2025 (arXiv:2505.04519); names and order as in the repository's own class, which has the
same layers as vLLM's PanguUltraMoEForCausalLM, and the cache as vLLM's. The layer that predicts a second token is not
in that class and is not counted.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.deepseek import ATTENTION, LatentConfig, latent_of
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder, whole
from graphacct_architectures.decoders.parts.router import SIGMOID
from graphacct_architectures.decoders.parts.sparse import layered
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class PanguUltraMoEConfig(LatentConfig):
    """The keys of the published config.json that the cost depends on, under DeepSeek's names or its own."""

    vocab_size: Dim = fields.size(153600)
    hidden_size: Dim = fields.size(7680)
    intermediate_size: Dim = fields.size(18432)
    moe_intermediate_size: Dim = fields.size(2048)
    num_hidden_layers: Dim = fields.size(61)
    num_attention_heads: Dim = fields.size(128)
    max_position_embeddings: Dim = fields.size(131072)
    n_shared_experts: Dim = fields.stated_size(1)
    n_routed_experts: Dim = fields.size(256)
    num_experts_per_tok: Dim | None = fields.optional_size(8)
    first_k_dense_replace: Dim = fields.size(3, minimum=0)
    norm_topk_prob: bool = fields.flag(True)
    sandwich_norm: bool = fields.flag(False)


def describe(config: PanguUltraMoEConfig) -> Decoder:
    """Returns dense layers first, and then layers with experts, chosen by sigmoids."""
    activation = ACTIVATIONS[config.hidden_act]
    dense = Mlp(config.intermediate_size, activation)
    experts = Experts(
        config.n_routed_experts,
        config.per_token,
        config.moe_intermediate_size,
        activation,
        router_upcast=True,
        scoring=SIGMOID,
        normalised=config.norm_topk_prob and config.per_token != 1,
        above_zero="shift",
        scaled=True,
        shared=Mlp(config.n_shared_experts * config.moe_intermediate_size, activation, module="shared_experts"),
    )
    first = whole(config.first_k_dense_replace, "first_k_dense_replace")
    attention = latent_of(config)

    def kind(index: int) -> Layer:
        network = experts if index >= first else dense
        if not config.sandwich_norm:
            return Layer(attention, network)
        return Layer(
            attention,
            network,
            attention_post_norm="post_attention_layernorm",
            mlp_norm="pre_mlp_layernorm",
            mlp_post_norm="post_mlp_layernorm",
        )

    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layered(config.num_hidden_layers, first == 0, kind, first),
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.qk_rope_head_dim),),
    )


ARCHITECTURE = decoder(
    "pangu_ultra_moe",
    PanguUltraMoEConfig,
    describe,
    PresetFiles(__file__),
    **ATTENTION,
    aliases={
        "attention_kv_lora_dim": "kv_lora_rank",
        "attention_q_lora_dim": "q_lora_rank",
        "attention_qk_rope_dim": "qk_rope_head_dim",
        "attention_qk_dim": "qk_nope_head_dim",
        "attention_v_dim": "v_head_dim",
        "num_routed_experts": "n_routed_experts",
        "num_shared_experts": "n_shared_experts",
        "num_dense_layers": "first_k_dense_replace",
    },
    classes=(CAUSAL, ALONE),
    no_cost={"num_mtp_layers": None, "num_nextn_predict_layers": None, "routed_scaling_factor": None},
    doc="openPangu-Ultra-MoE: latent attention, experts chosen by sigmoids, norms of both outputs.",
)
