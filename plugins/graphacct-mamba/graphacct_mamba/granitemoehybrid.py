"""Granite 4: Mamba-2's scans, attention in some layers, experts beside a shared network, Granite's multipliers."""

from __future__ import annotations

from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import (
    Attention,
    Decoder,
    Experts,
    FeedForward,
    Layer,
    Mixing,
    Mlp,
    at_most,
    decoder,
)
from graphacct_architectures.heads import ALONE, CAUSAL

from graphacct import ConfigError, Dim, PresetFiles, brief, equal, fields, frozen
from graphacct_mamba.hybrid import SCAN_NO_COST, ScanConfig, of_the_chunks, scan_of
from graphacct_mamba.kinds import FULL, LINEAR, kinds_of, layer_kinds
from graphacct_mamba.scan_heads import scan_heads


def position_type() -> Any:
    """Returns how positions are known: `rope`, or in no way (None)."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str | None:
        if value not in (None, "nope", "rope"):
            raise ConfigError(f"{field.name} is {brief(value)}: the kinds are rope, nope and null")
        return "rope" if value == "rope" else None

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class GraniteHybridConfig(ScanConfig):
    """The keys of the published config.json that the cost depends on."""

    attention_bias: bool = fields.flag(False)
    num_local_experts: Dim = fields.size(8, minimum=0)
    num_experts_per_tok: Dim = fields.size(2, minimum=0)
    shared_intermediate_size: Dim = fields.size(1024)
    position_embedding_type: str | None = position_type()
    layer_types: tuple[str, ...] | None = layer_kinds(FULL, LINEAR)


def describe(config: GraniteHybridConfig) -> Decoder:
    """Returns layers that differ in what mixes positions."""
    rotary = config.d_head if config.position_embedding_type == "rope" else 0
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        bias=config.attention_bias,
        out_bias=config.attention_bias,
        rotary=rotary,
        dropout=config.attention_dropout,
    )
    scan = Mixing("mamba", scan_of(config), scan_heads)
    activation = ACTIVATIONS[config.hidden_act]
    shared = Mlp(
        config.shared_intermediate_size, activation, module="shared_mlp", joint="input_linear", down="output_linear"
    )
    network: FeedForward = shared
    if not equal(config.num_local_experts, 0):
        network = Experts(
            config.num_local_experts,
            at_most(config.num_experts_per_tok, config.num_local_experts, "num_experts_per_tok, num_local_experts"),
            config.intermediate_size,
            activation,
            module="block_sparse_moe",
            router="router",
            scoring="top_softmax",
            scores_upcast=True,
            downcast=True,
            shared=shared,
            shared_beside=True,
        )
    kinds = kinds_of(config.layer_types, config.num_hidden_layers, lambda index: LINEAR)
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        tuple(Layer(attention if kind == FULL else scan, network, residual_scaled=True) for kind in kinds),
        embedding_scaled=True,
        tied=config.tie_word_embeddings,
        logits_scaled=True,
        rotary_tables=(("rotary_emb", rotary),),
    )


ARCHITECTURE = decoder(
    "granitemoehybrid",
    GraniteHybridConfig,
    describe,
    PresetFiles(__file__),
    aliases={"layers_block_type": "layer_types"},
    classes=(CAUSAL, ALONE),
    no_cost=dict.fromkeys(
        [
            *SCAN_NO_COST,
            "attention_multiplier",
            "embedding_multiplier",
            "logits_scaling",
            "normalization_function",
            "residual_multiplier",
        ]
    ),
    inexact=of_the_chunks,
    doc="Granite 4: Mamba-2's scans, attention in some layers, experts beside a shared network.",
)
