"""Flint: Qwen3's attention with learned sinks, rotary positions in layers with a window alone, a dense network in the
first layers and experts chosen by sigmoids beside an ungated one in the others.

RecursiveSI, "Flint", 2026; names and order as in the transformers library's FlintForCausalLM, which has attention
written out alone.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.gpt_oss import NORM
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    DecoderConfig,
    decoder,
    kinds_of_attention,
    layer_types,
    whole,
    written_out_alone,
)
from graphacct_architectures.decoders.parts.router import SIGMOID
from graphacct_architectures.decoders.parts.sparse import at_most, layer_indices
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class FlintConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(150144)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(6144)
    num_hidden_layers: Dim = fields.size(49)
    num_attention_heads: Dim = fields.size(32)
    num_key_value_heads: Dim | None = fields.optional_size(4)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(262144)
    attention_bias: bool = fields.flag(False)
    sliding_window: Dim | None = fields.size(513)
    layer_types: tuple[str, ...] | None = layer_types()
    mlp_only_layers: tuple[int, ...] = layer_indices((0, 1))
    decoder_sparse_step: int = fields.size(1)
    moe_intermediate_size: Dim = fields.size(512)
    shared_expert_intermediate_size: Dim = fields.size(1024)
    num_experts_per_tok: Dim = fields.size(6)
    num_experts: Dim = fields.size(256, minimum=0)
    norm_topk_prob: bool = fields.flag(True)


def describe(config: FlintConfig) -> Decoder:
    """Returns layers that differ in their window and in having experts."""
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    kinds = kinds_of_attention(
        config, lambda index: FULL if index < 2 or index % 4 == 1 or index == count - 1 else SLIDING
    )
    activation = ACTIVATIONS[config.hidden_act]
    dense = network(config)
    experts: Mlp | Experts = dense  # the class builds a dense network if there are no experts
    if config.num_experts != 0:
        experts = Experts(
            config.num_experts,
            at_most(config.num_experts_per_tok, config.num_experts, "num_experts_per_tok, num_experts"),
            config.moe_intermediate_size,
            activation,
            router_upcast=True,
            scoring=SIGMOID,
            normalised=config.norm_topk_prob,
            shared=Mlp(config.shared_expert_intermediate_size, activation, module="shared_expert"),
        )

    def layer(index: int, kind: str) -> Layer:
        attention = rotated_attention(
            config,
            rotary=config.d_head if kind == SLIDING else 0,
            qk_norm="head",
            window=config.sliding_window if kind == SLIDING else None,
            sinks=True,
            sinks_alone=True,
            upcast="scores",
        )
        sparse = index not in config.mlp_only_layers and (index + 1) % config.decoder_sparse_step == 0
        return Layer(attention, experts if sparse else dense, NORM)

    return around(config, tuple(layer(index, kind) for index, kind in enumerate(kinds)), norm_kind=NORM)


ARCHITECTURE = decoder(
    "flint",
    FlintConfig,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    aliases={"num_local_experts": "num_experts"},
    attention=("eager", "fused"),
    classes=(CAUSAL, ALONE),
    no_cost=dict.fromkeys(("use_sliding_window", "max_window_layers", "qkv_bias")),
    doc="Flint: normalized heads with sinks, windows where heads are rotated, sigmoid experts beside an ungated one.",
)
