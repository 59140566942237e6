"""The parts that DeepSeek's generations share: latent attention in every layer, dense layers and then experts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from graphacct import ConfigError, Dim, Workload, differ, exact_div, fields, frozen, has_value
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import ABSORBED, Attention, Indexer, Latent
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, whole
from graphacct_architectures.decoders.parts.router import SIGMOID
from graphacct_architectures.decoders.parts.sparse import at_most, layered

ATTENTION: Mapping[str, Any] = {
    "attention": ("fused", "eager", ABSORBED),
    "attention_by_phase": {"decode": ABSORBED},
}
"""The kinds of attention of these families. A decoding step expands no cached latent, as when a model is served; the
library's class expands all of them in every step (`fused`, `eager`)."""


def inexact(config: LatentConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not equal to the library's saved tensors in each of its versions."""
    count = config.num_hidden_layers
    dense = has_value(count) and has_value(config.first_k_dense_replace) and config.first_k_dense_replace >= count
    if dtype == "float32" or dense:
        return ()
    return (
        "saved tensors have a float32 copy of each router's weight, as with transformers 5.23; since 5.24 the weight "
        "itself is in float32",
    )


@frozen(kw_only=True)
class LatentConfig(DecoderConfig):
    """The keys that both generations have."""

    kv_lora_rank: Dim = fields.size(512)
    q_lora_rank: Dim | None = fields.optional_size(1536)
    qk_nope_head_dim: Dim = fields.size(128)
    qk_rope_head_dim: Dim = fields.size(64)
    v_head_dim: Dim = fields.size(128)
    attention_bias: bool = fields.flag(False)
    first_k_dense_replace: Dim = fields.size(0, minimum=0)
    moe_intermediate_size: Dim = fields.size()
    n_routed_experts: Dim = fields.size()
    n_shared_experts: Dim = fields.stated_size()
    num_experts_per_tok: Dim | None = fields.optional_size()

    @property
    def per_token(self) -> Dim:
        """How many experts a token runs through, not counting shared ones."""
        if self.num_experts_per_tok is None:
            raise ConfigError(
                f"num_experts_per_tok is missing: how many of {self.n_routed_experts} experts a token has"
            )
        return at_most(self.num_experts_per_tok, self.n_routed_experts, "num_experts_per_tok, n_routed_experts")


def corrected_experts(config: Any, *, shared: bool = True, grouped: bool = True) -> Experts:
    """Returns the third generation's experts, which other families have too: chosen by sigmoids with a correction among
    the best groups, unless they are not `grouped`; their weights are those without it."""
    activation = ACTIVATIONS[config.hidden_act]
    experts = Experts(
        config.n_routed_experts,
        config.per_token,
        config.moe_intermediate_size,
        activation,
        router_upcast=True,
        scoring=SIGMOID,
        normalised=config.norm_topk_prob,
        above_zero="shift",
        correction=True,
        scaled=True,
        grouped=grouped,
        groups=config.n_group if grouped else 1,
        chosen_groups=config.topk_group if grouped else 1,
        shared=Mlp(config.n_shared_experts * config.moe_intermediate_size, activation, module="shared_experts")
        if shared
        else None,
    )
    check_groups(experts)
    return experts


def latent_of(config: Any, *, turned: bool = True, ignored: bool = False, **more: Any) -> Attention:
    """Returns latent attention, whose heads have keys and values of their own. A file that says otherwise is refused
    unless what it says is `ignored`, as the class does."""
    heads, shared = config.num_attention_heads, None if ignored else config.num_key_value_heads
    if shared is not None and differ(heads, shared):
        raise ConfigError(
            f"num_key_value_heads is {shared}, num_attention_heads {heads}: every head has keys and values of its own, "
            "expanded from the latent, so leave it out"
        )
    return Attention(
        heads,
        heads,
        config.qk_nope_head_dim + config.qk_rope_head_dim,
        bias=config.attention_bias,
        out_bias=config.attention_bias,
        rotary=config.qk_rope_head_dim,
        dropout=config.attention_dropout,
        latent=Latent(config.kv_lora_rank, config.v_head_dim, config.q_lora_rank, turned),
        **more,
    )


def deepseek(
    config: LatentConfig,
    experts: Experts,
    dense: Mlp,
    *,
    rotary_complex: bool = False,
    sparse: tuple[bool, ...] | None = None,
    indexers: Sequence[Indexer] = (),
    **more: Any,
) -> Decoder:
    """Returns a decoder with latent attention in every layer, `dense` in the first ones and `experts` in the others;
    `sparse` says of each layer whether it has experts, if the file does, `indexers` what chooses its keys, and `more`
    what else its attention has."""
    attention = latent_of(config, **more)
    check_groups(experts)
    first = whole(config.first_k_dense_replace, "first_k_dense_replace")

    def kind(index: int) -> Layer:
        chosen = attrs.evolve(attention, indexer=indexers[index]) if indexers else attention
        return Layer(chosen, experts if (index >= first if sparse is None else sparse[index]) else dense)

    alike = (first == 0 if sparse is None else all(sparse)) and len(set(indexers)) < 2
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layered(config.num_hidden_layers, alike, kind, first if sparse is None and not indexers else None),
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.qk_rope_head_dim),),
        rotary_complex=rotary_complex,
    )


def check_groups(experts: Experts) -> None:
    """Raises ConfigError if the groups do not divide the experts, or more are chosen than there are."""
    exact_div(experts.count, experts.groups, "n_routed_experts / n_group")
    chosen, groups = experts.chosen_groups, experts.groups
    if has_value(chosen) and has_value(groups) and chosen > groups:
        raise ConfigError(f"topk_group is {chosen}, n_group {groups}: no more groups are chosen than there are")
