"""Kolibri 1: EXAONE 4's attention between norms, windows and rotary positions in the same layers, experts chosen by
corrected scores in every layer.

Aleph Alpha, "Kolibri 1", 2026; names and order as in the transformers library's Kolibri1ForCausalLM.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
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
)
from graphacct_architectures.decoders.parts.router import CHOSEN_SIGMOID
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL

PERIOD = 5
"""Of as many layers the last sees all positions, unless a file names the kinds."""


@frozen(kw_only=True)
class Kolibri1Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(128000)
    hidden_size: Dim = fields.size(2560)
    num_hidden_layers: Dim = fields.size(50)
    num_attention_heads: Dim = fields.size(48)
    num_key_value_heads: Dim | None = fields.optional_size(4)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(262144)
    sliding_window: Dim | None = fields.size(513)
    layer_types: tuple[str, ...] | None = layer_types()
    moe_intermediate_size: Dim = fields.size(512)
    shared_expert_intermediate_size: Dim = fields.size(512)
    num_experts_per_tok: Dim = fields.size(6)
    num_experts: Dim = fields.size(384)
    norm_topk_prob: bool = fields.flag(False)


def describe(config: Kolibri1Config) -> Decoder:
    """Returns layers that differ in their window; without windows all are rotated."""
    kinds = kinds_of_attention(config, lambda index: SLIDING if (index + 1) % PERIOD else FULL)
    activation = ACTIVATIONS[config.hidden_act]
    experts = Experts(
        config.num_experts,
        at_most(config.num_experts_per_tok, config.num_experts, "num_experts_per_tok, num_experts"),
        config.moe_intermediate_size,
        activation,
        router_upcast=True,
        scoring=CHOSEN_SIGMOID,
        correction=True,
        normalised=config.norm_topk_prob,
        shared=Mlp(config.shared_expert_intermediate_size, activation, module="shared_experts"),
    )

    def layer(kind: str) -> Layer:
        rotated = config.sliding_window is None or kind == SLIDING
        attention = rotated_attention(
            config,
            rotary=config.d_head if rotated else 0,
            qk_norm="head",
            window=config.sliding_window if kind == SLIDING else None,
        )
        return Layer(
            attention,
            experts,
            attention_post_norm="post_self_attn_layernorm",
            mlp_post_norm="post_mlp_layernorm",
        )

    return around(config, tuple(map(layer, kinds)))


ARCHITECTURE = decoder(
    "kolibri1",
    Kolibri1Config,
    describe,
    PresetFiles(__file__),
    aliases={"num_local_experts": "num_experts"},
    classes=(CAUSAL, ALONE),
    no_cost=dict.fromkeys(("intermediate_size", "decoder_sparse_step", "mlp_only_layers", "use_sliding_window")),
    doc="Kolibri 1: attention between norms, windows where heads are rotated, experts in every layer.",
)
