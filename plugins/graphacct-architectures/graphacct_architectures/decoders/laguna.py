"""Laguna: a gate of each head, heads that differ by layer, windows and rotary positions by a list, experts chosen by
corrected sigmoids.

Poolside, "Laguna", 2026; names and order as in the transformers library's LagunaForCausalLM.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Correction, Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    DecoderConfig,
    decoder,
    kinds_of_attention,
    layer_types,
    number,
    rotary_dims_of,
    whole,
)
from graphacct_architectures.decoders.parts.router import SIGMOID
from graphacct_architectures.decoders.parts.sparse import at_most, network_types, sparse_layers
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL

USUAL = {FULL: 0.5, SLIDING: 1.0}
"""The rotated part of a head of each kind of layer, without settings of any."""


def _heads() -> Any:
    """Returns the number of query heads of each layer, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or any(type(item) is not int or item < 1 for item in value):
            raise ConfigError(f"{field.name} is a list of numbers of heads, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


def _gating() -> Any:
    """Returns how the heads' outputs are gated: each head, or each element (false, or any other word)."""

    def check(value: Any, field: attrs.Attribute[Any]) -> bool:
        if not isinstance(value, (bool, str)):
            raise ConfigError(f"{field.name} is true, false or a word, not {brief(value)}")
        return value is True or value == "per-head"

    return fields.checked_field(check, True)


@frozen(kw_only=True)
class LagunaConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(100352)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(8192)
    num_hidden_layers: Dim = fields.size(40)
    num_attention_heads: Dim = fields.size(48)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    num_attention_heads_per_layer: tuple[int, ...] | None = _heads()
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(131072)
    attention_bias: bool = fields.flag(False)
    gating: bool = _gating()
    sliding_window: Dim | None = fields.window(512)
    layer_types: tuple[str, ...] | None = layer_types()
    mlp_layer_types: tuple[bool, ...] | None = network_types()
    moe_intermediate_size: Dim = fields.size(512)
    shared_expert_intermediate_size: Dim = fields.size(512)
    num_experts: Dim = fields.size(256)
    num_experts_per_tok: Dim = fields.size(8)
    moe_router_logit_softcapping: float | None = number(0.0)
    moe_apply_router_weight_on_input: bool = fields.always(False)


def describe(config: LagunaConfig) -> Decoder:
    """Returns layers that differ in their heads, their window, their rotary tables and their network."""
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    heads = config.num_attention_heads_per_layer or (config.num_attention_heads,) * count
    if len(heads) != count:
        raise ConfigError(f"num_attention_heads_per_layer has {len(heads)} numbers for num_hidden_layers {count}")
    kinds = kinds_of_attention(config, lambda index: FULL)
    sparse = sparse_layers(config.mlp_layer_types, count, lambda index: index > 0)
    settings = config.rope_parameters
    rotary = {kind: rotary_dims_of(config, kind, None if settings else USUAL[kind]) for kind in dict.fromkeys(kinds)}
    shared = config.num_attention_heads if config.num_key_value_heads is None else config.num_key_value_heads
    activation = ACTIVATIONS[config.hidden_act]
    experts = Experts(
        config.num_experts,
        at_most(config.num_experts_per_tok, config.num_experts, "num_experts_per_tok, num_experts"),
        config.moe_intermediate_size,
        activation,
        scores_upcast=True,
        scores_capped=bool(config.moe_router_logit_softcapping),
        scoring=SIGMOID,
        correction=True,
        corrected_by=Correction(frozen=True, wide=False),
        normalised=True,
        downcast=True,
        shared=Mlp(config.shared_expert_intermediate_size, activation, module="shared_experts"),
        out_scaled=True,
    )
    dense = network(config)

    def layer(index: int) -> Layer:
        kind, number = kinds[index], heads[index]
        exact_div(number, shared, "query heads of a layer / num_key_value_heads")
        attention = rotated_attention(
            config,
            rotary=rotary[kind],
            rotary_tables=f"rotary_emb.{kind}",
            rotary_joined=True,
            qk_norm="head",
            window=config.sliding_window if kind == SLIDING else None,
            gate="g_proj",
            gate_by="softplus",
            gate_per_head=config.gating,
        )
        attention = attrs.evolve(attention, heads=number, kv_heads=shared)
        return Layer(attention, experts if sparse[index] else dense)

    tables = tuple((f"rotary_emb.{kind}", width) for kind, width in rotary.items())
    return around(config, tuple(map(layer, range(count))), rotary_tables=tables)


ARCHITECTURE = decoder(
    "laguna",
    LagunaConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    no_cost={"moe_routed_scaling_factor": None},
    doc="Laguna: a gate of each head, heads by layer, experts chosen by corrected sigmoids.",
)
