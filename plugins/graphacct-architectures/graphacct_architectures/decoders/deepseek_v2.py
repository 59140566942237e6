"""DeepSeek-V2: latent attention; after a dense first layer, small routed experts and shared ones.

DeepSeek-AI, 2024 (arXiv:2405.04434). This is the transformers library's class, which never normalises the chosen
weights, whatever `norm_topk_prob` says. Its rotary positions are complex numbers, which are counted as cosines and
sines: rotating a pair takes 4 products and 2 sums either way.
"""

from __future__ import annotations

from graphacct import ConfigError, Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.deepseek import ATTENTION, LatentConfig, deepseek, inexact
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE

GREEDY, GROUPED = "greedy", "group_limited_greedy"


@frozen(kw_only=True)
class DeepseekV2Config(LatentConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(102400)
    mlp_bias: bool = fields.flag(False)
    moe_intermediate_size: Dim = fields.size(1407)
    n_routed_experts: Dim = fields.size(64)
    n_shared_experts: Dim = fields.stated_size(2)
    topk_method: str = fields.choice(GREEDY, (GREEDY, GROUPED))
    n_group: Dim | None = fields.optional_size()
    topk_group: Dim | None = fields.optional_size()

    @property
    def groups(self) -> tuple[Dim, Dim]:
        """The number of groups of experts, and the number of groups that a token's experts are chosen from."""
        if self.topk_method == GREEDY:
            return 1, 1
        if self.n_group is None or self.topk_group is None:
            raise ConfigError(f"topk_method {GROUPED} needs n_group and topk_group, and one of them is not there")
        return self.n_group, self.topk_group


def describe(config: DeepseekV2Config) -> Decoder:
    """Returns layers whose experts are chosen by a softmax over all, or with groups among the best groups."""
    activation, bias = ACTIVATIONS[config.hidden_act], config.mlp_bias
    groups, chosen = config.groups
    width = config.n_shared_experts * config.moe_intermediate_size
    experts = Experts(
        config.n_routed_experts,
        config.per_token,
        config.moe_intermediate_size,
        activation,
        router_upcast=True,
        scaled=True,
        groups=groups,
        chosen_groups=chosen,
        shared=Mlp(width, activation, module="shared_experts", bias=bias),
    )
    return deepseek(config, experts, Mlp(config.intermediate_size, activation, bias=bias), rotary_complex=True)


ARCHITECTURE = decoder(
    "deepseek_v2",
    DeepseekV2Config,
    describe,
    PresetFiles(__file__),
    **ATTENTION,
    inexact=inexact,
    aliases={"num_experts": "n_routed_experts"},
    translated=("num_experts",),
    classes=(CAUSAL, ALONE, SEQUENCE),
    no_cost={"norm_topk_prob": None, "moe_layer_freq": None, "qk_head_dim": None, "scoring_func": ("softmax",)},
    doc="DeepSeek-V2: latent attention, small experts and shared ones after a first layer without.",
)
