"""Ling and Ring: a joint projection of queries, keys and values; after the first layers, small experts and shared ones.

Ling Team, Inclusion AI, 2025 (arXiv:2503.05139; Ling 2.0: arXiv:2510.22115). The classes stand in the models' own
repositories (`modeling_bailing_moe.py`, `modeling_bailing_moe_v2.py`), not in the transformers library: names, shapes
and order are those files'. The experts' weights, which the file has one by one, are counted as stacked, as in the
library's families with experts. A head that is normalised (`norm_head`) is so once, when its weights are loaded.
"""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct import ConfigError, Dim, PresetFiles, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.deepseek import check_groups
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Correction, Experts, FeedForward, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, fraction, rotary_dims, whole
from graphacct_architectures.decoders.parts.router import SIGMOID, SOFTMAX
from graphacct_architectures.decoders.parts.sparse import at_most, layered
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class BailingMoeConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on; both generations have the type.

    Attributes:
        shared_total: Whether the shared network's width is stated for all shared experts together.
    """

    shared_total: ClassVar[bool] = False
    vocab_size: Dim = fields.size(30592)
    hidden_size: Dim = fields.size(1024)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(16)
    num_key_value_heads: Dim | None = fields.window()  # null or 0: as many as of queries
    intermediate_size: Dim | None = fields.optional_size()
    max_position_embeddings: Dim = fields.size(16384)
    moe_intermediate_size: Dim = fields.size(1408)
    num_experts: Dim = fields.size(16)
    num_experts_per_tok: Dim = fields.size(2)
    num_shared_experts: Dim = fields.size(0, minimum=0)
    moe_shared_expert_intermediate_size: Dim | None = fields.optional_size()
    first_k_dense_replace: int = fields.size(0, minimum=0)
    norm_topk_prob: bool = fields.flag(True)
    use_bias: bool = fields.flag(True)
    use_qkv_bias: bool = fields.flag(False)
    use_rmsnorm: bool = fields.always(True)
    use_sliding_window: bool = fields.always(False)
    norm_softmax: bool = fields.always(False)
    use_qk_norm: bool = fields.flag(False)
    partial_rotary_factor: float = fraction(1.0)
    score_function: str = fields.choice(SOFTMAX, (SOFTMAX, SIGMOID))
    moe_router_enable_expert_bias: bool = fields.flag(False)
    n_group: Dim | None = fields.optional_size()
    topk_group: Dim | None = fields.optional_size()
    attention_dropout: float = fields.probability(0.1)
    embedding_dropout: float = fields.probability(0.1)
    output_dropout: float = fields.probability(0.1)

    @property
    def shared_width(self) -> Dim:
        """The width of the shared network."""
        stated = self.moe_shared_expert_intermediate_size
        if self.shared_total and stated is not None:
            return stated
        return self.num_shared_experts * (self.moe_intermediate_size if stated is None else stated)


def ling_experts(config: BailingMoeConfig) -> Experts:
    """Returns the experts: chosen by a softmax, or by sigmoids with a correction among the best groups."""
    activation = ACTIVATIONS[config.hidden_act]
    scored = config.score_function == SIGMOID
    if scored != config.moe_router_enable_expert_bias:
        raise ConfigError(
            f"score_function is {config.score_function} and moe_router_enable_expert_bias "
            f"{str(config.moe_router_enable_expert_bias).lower()}: published models have a bias with sigmoids alone"
        )
    none = equal(config.num_shared_experts, 0)
    more: dict[str, Any] = {}
    if scored:
        groups = {"grouped": True, "groups": config.n_group or 1, "chosen_groups": config.topk_group or 1}
        more = {"scoring": SIGMOID, "scaled": True, "correction": True, **groups}
        more["corrected_by"] = Correction(name="expert_bias")
    experts = Experts(
        config.num_experts,
        at_most(config.num_experts_per_tok, config.num_experts, "num_experts_per_tok, num_experts"),
        config.moe_intermediate_size,
        activation,
        bias=config.use_bias,
        router_upcast=scored,
        normalised=config.norm_topk_prob,
        above_zero="shift" if scored else "",
        downcast=True,
        shared=None if none else Mlp(config.shared_width, activation, module="shared_experts", bias=config.use_bias),
        **more,
    )
    check_groups(experts)
    return experts


def describe(config: BailingMoeConfig) -> Decoder:
    """Returns layers with experts after the first ones."""
    rotary = rotary_dims(config)
    attention = rotated_attention(
        config,
        module="attention",
        joint="query_key_value",
        out="dense",
        bias=config.use_bias or config.use_qkv_bias,
        out_bias=config.use_bias,
        rotary=rotary,
        rotary_joined=not equal(rotary, config.d_head),
        qk_norm="head" if config.use_qk_norm else "",
        qk_norm_names=("query_layernorm", "key_layernorm"),
    )
    experts: FeedForward = ling_experts(config)
    first = whole(config.first_k_dense_replace, "first_k_dense_replace")
    if first and config.intermediate_size is None:
        raise ConfigError(f"intermediate_size is missing: the width of the first {first} layers' networks")
    dense = network(config, bias=config.use_bias) if first else experts

    def kind(index: int) -> Layer:
        return Layer(attention, experts if index >= first else dense, dropout=config.output_dropout)

    return around(
        config,
        layered(config.num_hidden_layers, first == 0, kind, first),
        embedding="word_embeddings",
        embedding_dropout=config.embedding_dropout,
        rotary_tables=(("rotary_emb", rotary),),
    )


ARCHITECTURE = decoder(
    "bailing_moe",
    BailingMoeConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    stem="BailingMoe",
    no_cost={
        **dict.fromkeys(("norm_head", "router_dtype", "rotary_dim", "multi_gate", "max_window_layers")),
        **{"sliding_window": None, "mtp_loss_scaling_factor": None},
    },
    doc="Ling and Ring: a joint projection, small experts and shared ones.",
)
