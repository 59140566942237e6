"""The text model of DeepSeek-OCR: Llama's attention, and DeepSeek-V2's experts after the first layers.

Wei et al., 2025 (arXiv:2510.18234).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import ConfigError, Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.deepseek_v2 import GREEDY, GROUPED
from graphacct_architectures.decoders.llama import LlamaConfig
from graphacct_architectures.decoders.parts.deepseek import check_groups
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.sparse import at_most, layered, network_types, sparse_layers
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class DeepseekOcr2TextConfig(LlamaConfig):
    """The keys of the published config.json that the cost depends on. A head is as wide as the stream over the heads,
    whatever `head_dim` says."""

    dense_first: ClassVar[int | None] = None
    vocab_size: Dim = fields.size(102400)
    max_position_embeddings: Dim = fields.size(2048)
    moe_intermediate_size: Dim = fields.size(1407)
    n_routed_experts: Dim = fields.size(64)
    n_shared_experts: Dim = fields.stated_size(2)
    num_experts_per_tok: Dim | None = fields.optional_size()
    topk_method: str = fields.choice(GREEDY, (GREEDY, GROUPED))
    n_group: Dim | None = fields.optional_size()
    topk_group: Dim | None = fields.optional_size()
    mlp_layer_types: tuple[bool, ...] | None = network_types()
    first_k_dense_replace: int | None = fields.optional_size()

    @property
    def d_head(self) -> Dim:
        """The width of a head."""
        return exact_div(self.hidden_size, self.num_attention_heads, "hidden_size / num_attention_heads")


def described_experts(config: DeepseekOcr2TextConfig) -> Experts:
    """Returns the experts of a layer."""
    if config.num_experts_per_tok is None:
        raise ConfigError(f"num_experts_per_tok is missing: how many of {config.n_routed_experts} experts a token has")
    groups, chosen = (1, 1)
    if config.topk_method == GROUPED:
        if config.n_group is None or config.topk_group is None:
            raise ConfigError(f"topk_method {GROUPED} needs n_group and topk_group, and one of them is not there")
        groups, chosen = config.n_group, config.topk_group  # type: ignore[assignment]
    act = ACTIVATIONS[config.hidden_act]
    wide = config.n_shared_experts * config.moe_intermediate_size
    experts = Experts(
        config.n_routed_experts,
        at_most(config.num_experts_per_tok, config.n_routed_experts, "num_experts_per_tok, n_routed_experts"),
        config.moe_intermediate_size,
        act,
        router_upcast=True,
        scaled=True,
        groups=groups,
        chosen_groups=chosen,
        shared=Mlp(wide, act, module="shared_experts", bias=config.mlp_bias),
    )
    check_groups(experts)
    return experts


def describe(config: DeepseekOcr2TextConfig) -> Decoder:
    """Returns layers with experts where the file says so."""
    given = config.mlp_layer_types
    first = config.dense_first if config.first_k_dense_replace is None else config.first_k_dense_replace
    if given is None and config.dense_first is None:
        raise ConfigError("mlp_layer_types is missing: which layers have experts, a list of dense and sparse")
    start = 0 if first is None else first
    sparse = sparse_layers(given, config.num_hidden_layers, lambda index: index >= start)
    attention, dense = rotated_attention(config), network(config)
    experts = described_experts(config) if any(sparse) else None

    def kind(index: int) -> Layer:
        return Layer(attention, experts if sparse[index] and experts is not None else dense)

    return around(config, layered(config.num_hidden_layers, len(set(sparse)) == 1, kind))


ARCHITECTURE = decoder(
    "deepseek_ocr2_text",
    DeepseekOcr2TextConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    stem="DeepseekOcr2Text",
    aliases={"num_experts": "n_routed_experts"},
    translated=("num_experts",),
    no_cost=dict.fromkeys(
        ("pretraining_tp", "norm_topk_prob", "moe_layer_freq", "scoring_func", "seq_aux", "head_dim")
    ),
    doc="DeepSeek-OCR 2's text model: Llama's attention, DeepSeek-V2's experts.",
)
