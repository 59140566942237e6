"""DeepSeek-V2: latent attention; small experts and shared ones, after a first layer without.

DeepSeek-AI, 2024 (arXiv:2405.04434). As the transformers library's class has it, which does not normalise the chosen
weights whatever `norm_topk_prob` says. Its rotary positions are complex numbers, counted as the cosines and sines that
they are: turning a pair takes 4 products and 2 sums either way.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from graphacct import ConfigError, Dim, fields
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.deepseek import LatentConfig, deepseek
from graphacct_architectures.decoders.parts.description import Decoder, Experts, Mlp
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE

GREEDY, GROUPED = "greedy", "group_limited_greedy"


@attrs.frozen(kw_only=True)
class DeepseekV2Config(LatentConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(102400)
    mlp_bias: bool = fields.flag(False)
    moe_intermediate_size: Dim = fields.size(1407)
    n_routed_experts: Dim = fields.size(64)
    n_shared_experts: Dim = fields.size(2)
    topk_method: str = fields.choice(GREEDY, (GREEDY, GROUPED))
    n_group: Dim | None = fields.optional_size()
    topk_group: Dim | None = fields.optional_size()

    @property
    def groups(self) -> tuple[Dim, Dim]:
        """How many groups of experts there are, and how many of them a token's are chosen from."""
        if self.topk_method == GREEDY:
            return 1, 1
        if self.n_group is None or self.topk_group is None:
            raise ConfigError(f"topk_method {GROUPED} needs n_group and topk_group, and one of them is not there")
        return self.n_group, self.topk_group


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
