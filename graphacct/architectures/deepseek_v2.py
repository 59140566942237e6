"""DeepSeek-V2: latent attention; small experts and shared ones, after a first layer without.

DeepSeek-AI, 2024 (arXiv:2405.04434). As the transformers library's class has it, which does not normalise the chosen
weights whatever `norm_topk_prob` says. Its rotary positions are complex numbers, counted as the cosines and sines that
they are: turning a pair takes 4 products and 2 sums either way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct.architectures.decoder import Attention, Decoder, Experts, Latent, Layer, Mlp
from graphacct.architectures.decoder.families import ACTIVATIONS, DecoderConfig, decoder, dequantized, whole
from graphacct.architectures.decoder.sparse import at_most, layered
from graphacct.architectures.heads import ALONE, CAUSAL, SEQUENCE
from graphacct.config import choice, flag, optional_size, size
from graphacct.dims import Dim, same
from graphacct.errors import ConfigError

GREEDY, GROUPED = "greedy", "group_limited_greedy"


@attrs.frozen(kw_only=True)
class LatentConfig(DecoderConfig):
    """The keys that both generations have."""

    kv_lora_rank: Dim = size(512)
    q_lora_rank: Dim | None = optional_size(1536)
    qk_nope_head_dim: Dim = size(128)
    qk_rope_head_dim: Dim = size(64)
    v_head_dim: Dim = size(128)
    attention_bias: bool = flag(False)
    first_k_dense_replace: Dim = size(0, minimum=0)
    moe_intermediate_size: Dim = size()
    n_routed_experts: Dim = size()
    n_shared_experts: Dim = size()
    num_experts_per_tok: Dim | None = optional_size()
    quantization_config: Mapping[str, Any] | None = dequantized("fp8")

    @property
    def per_token(self) -> Dim:
        """How many experts a token runs through, shared ones left out."""
        if self.num_experts_per_tok is None:
            raise ConfigError(
                f"num_experts_per_tok is missing: how many of {self.n_routed_experts} experts a token has"
            )
        return at_most(self.num_experts_per_tok, self.n_routed_experts, "num_experts_per_tok, n_routed_experts")


@attrs.frozen(kw_only=True)
class DeepseekV2Config(LatentConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = size(102400)
    mlp_bias: bool = flag(False)
    moe_intermediate_size: Dim = size(1407)
    n_routed_experts: Dim = size(64)
    n_shared_experts: Dim = size(2)
    topk_method: str = choice(GREEDY, (GREEDY, GROUPED))
    n_group: Dim | None = optional_size()
    topk_group: Dim | None = optional_size()

    @property
    def groups(self) -> tuple[Dim, Dim]:
        """How many groups of experts there are, and how many of them a token's are chosen from."""
        if self.topk_method == GREEDY:
            return 1, 1
        if self.n_group is None or self.topk_group is None:
            raise ConfigError(f"topk_method {GROUPED} needs n_group and topk_group, and one of them is not there")
        return self.n_group, self.topk_group


def deepseek(config: LatentConfig, experts: Experts, dense: Mlp, *, rotary_complex: bool = False) -> Decoder:
    """Latent attention in every layer; `dense` in the first ones and `experts` in the others."""
    heads, shared = config.num_attention_heads, config.num_key_value_heads
    if shared is not None and not same(heads, shared):
        raise ConfigError(
            f"num_key_value_heads is {shared}, num_attention_heads {heads}: every head has keys and values of its own, "
            "expanded from the latent, so leave it out"
        )
    attention = Attention(
        heads,
        heads,
        config.qk_nope_head_dim + config.qk_rope_head_dim,
        bias=config.attention_bias,
        out_bias=config.attention_bias,
        rotary=config.qk_rope_head_dim,
        dropout=config.attention_dropout,
        latent=Latent(config.kv_lora_rank, config.v_head_dim, config.q_lora_rank),
    )
    first = whole(config.first_k_dense_replace, "first_k_dense_replace")
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layered(config.num_hidden_layers, first == 0, lambda i: Layer(attention, dense if i < first else experts)),
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.qk_rope_head_dim),),
        rotary_complex=rotary_complex,
    )


def describe(config: DeepseekV2Config) -> Decoder:
    """A softmax over all experts, and with groups a choice among those of the best."""
    activation, bias = ACTIVATIONS[config.hidden_act], config.mlp_bias
    groups, chosen = config.groups
    width = config.n_shared_experts * config.moe_intermediate_size
    experts = Experts(
        config.n_routed_experts,
        config.per_token,
        config.moe_intermediate_size,
        activation,
        router_wide=True,
        scaled=True,
        groups=groups,
        chosen_groups=chosen,
        shared=Mlp(width, activation, module="shared_experts", bias=bias),
    )
    return deepseek(config, experts, Mlp(config.intermediate_size, activation, bias=bias), rotary_complex=True)


PRESETS: Mapping[str, DeepseekV2Config] = {
    "deepseek-v2-lite": DeepseekV2Config(
        hidden_size=2048,
        intermediate_size=10944,
        num_hidden_layers=27,
        num_attention_heads=16,
        num_key_value_heads=16,
        head_dim=64,
        max_position_embeddings=163840,
        q_lora_rank=None,
        first_k_dense_replace=1,
        moe_intermediate_size=1408,
        num_experts_per_tok=6,
        n_group=1,
        topk_group=1,
        dtype="bfloat16",
    ),
    "deepseek-v2": DeepseekV2Config(
        hidden_size=5120,
        intermediate_size=12288,
        num_hidden_layers=60,
        num_attention_heads=128,
        num_key_value_heads=128,
        head_dim=64,
        max_position_embeddings=163840,
        first_k_dense_replace=1,
        moe_intermediate_size=1536,
        n_routed_experts=160,
        num_experts_per_tok=6,
        topk_method=GROUPED,
        n_group=8,
        topk_group=3,
        dtype="bfloat16",
    ),
}
ARCHITECTURE = decoder(
    "deepseek_v2",
    DeepseekV2Config,
    describe,
    PRESETS,
    aliases={"num_experts": "n_routed_experts"},
    translated=("num_experts",),
    classes=(CAUSAL, ALONE, SEQUENCE),
    doc="DeepSeek-V2: latent attention, small experts and shared ones after a first layer without.",
)
