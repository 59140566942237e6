"""Mellum 2: Qwen3's attention with windows in the layers that the file lists, rotary positions for each kind of layer,
experts.

Names and order as in the transformers library's MellumForCausalLM.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    DecoderConfig,
    decoder,
    kinds_of_attention,
    layer_types,
    rotary_dims_of,
)
from graphacct_architectures.decoders.parts.sparse import at_most, network_types, sparse_layers
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class MellumConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(98304)
    hidden_size: Dim = fields.size(2304)
    intermediate_size: Dim = fields.size(7168)
    num_hidden_layers: Dim = fields.size(28)
    num_key_value_heads: Dim | None = fields.optional_size(4)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(131072)
    attention_bias: bool = fields.flag(False)
    sliding_window: Dim | None = fields.window(1024)
    layer_types: tuple[str, ...] | None = layer_types()
    mlp_layer_types: tuple[bool, ...] | None = network_types()
    moe_intermediate_size: Dim = fields.size(896)
    num_experts: Dim = fields.size(64)
    num_experts_per_tok: Dim = fields.size(8)
    norm_topk_prob: bool = fields.flag(True)


def describe(config: MellumConfig) -> Decoder:
    """Returns layers that differ in their window, their rotary tables and their network."""
    kinds = kinds_of_attention(config, lambda index: FULL)
    sparse = sparse_layers(config.mlp_layer_types, config.num_hidden_layers, lambda index: True)
    rotary = {kind: rotary_dims_of(config, kind) for kind in dict.fromkeys(kinds)}
    experts = Experts(
        config.num_experts,
        at_most(config.num_experts_per_tok, config.num_experts, "num_experts_per_tok, num_experts"),
        config.moe_intermediate_size,
        ACTIVATIONS[config.hidden_act],
        normalised=config.norm_topk_prob,
        downcast=True,
    )
    dense = network(config)

    def attention(kind: str) -> Attention:
        return rotated_attention(
            config,
            rotary=rotary[kind],
            rotary_tables=f"rotary_emb.{kind}",
            qk_norm="head",
            window=config.sliding_window if kind == SLIDING else None,
        )

    layers = tuple(Layer(attention(kind), experts if has else dense) for kind, has in zip(kinds, sparse, strict=True))
    return around(config, layers, rotary_tables=tuple((f"rotary_emb.{kind}", width) for kind, width in rotary.items()))


ARCHITECTURE = decoder(
    "mellum",
    MellumConfig,
    describe,
    PresetFiles(__file__),
    aliases={"num_local_experts": "num_experts"},
    translated=("num_local_experts",),
    classes=(CAUSAL, ALONE),
    doc="Mellum 2: Qwen3's attention, windows by a list, experts.",
)
