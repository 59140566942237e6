"""MiniMax-Text-01 and M1: lightning attention and attention by turns, norms as the residual's base, experts.

MiniMax, 2025 (arXiv:2501.08313); names and order as in the transformers library's MiniMaxForCausalLM (5.23).
"""

from __future__ import annotations

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import (
    Attention,
    Decoder,
    DecoderConfig,
    Experts,
    Layer,
    Mixing,
    at_most,
    decoder,
)

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_mamba.kinds import FULL, LINEAR, kinds_of, layer_kinds
from graphacct_mamba.lightning import Lightning, lightning


@frozen(kw_only=True)
class MiniMaxConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    intermediate_size: Dim = fields.size(14336)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    max_position_embeddings: Dim = fields.size(131072)
    sliding_window: Dim | None = fields.window()
    num_experts_per_tok: Dim = fields.size(2)
    num_local_experts: Dim = fields.size(8)
    layer_types: tuple[str, ...] | None = layer_kinds(FULL, LINEAR)
    block_size: Dim = fields.size(256)


def describe(config: MiniMaxConfig) -> Decoder:
    """Returns layers that differ in what mixes positions."""
    activation = ACTIVATIONS[config.hidden_act]
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        rotary=config.d_head,
        window=config.sliding_window,
        dropout=config.attention_dropout,
    )
    sizes = Lightning(config.num_attention_heads, config.d_head, config.block_size, activation)
    parts: dict[str, Attention | Mixing] = {FULL: attention, LINEAR: Mixing("self_attn", sizes, lightning)}
    experts = Experts(
        config.num_local_experts,
        at_most(config.num_experts_per_tok, config.num_local_experts, "num_experts_per_tok, num_local_experts"),
        config.intermediate_size,
        activation,
        normalised=True,
    )
    kinds = kinds_of(config.layer_types, config.num_hidden_layers, lambda index: LINEAR if index % 2 else FULL)
    layers = tuple(
        Layer(parts[kind], experts, residual_normed=True, residual_scaled=True, base_scaled=True) for kind in kinds
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),),
    )


ARCHITECTURE = decoder(
    "minimax",
    MiniMaxConfig,
    describe,
    PresetFiles(__file__),
    span="transformer",
    aliases={"num_experts": "num_local_experts"},
    no_cost=dict.fromkeys(
        (
            *("full_attn_alpha_factor", "full_attn_beta_factor", "linear_attn_alpha_factor"),
            *("linear_attn_beta_factor", "mlp_alpha_factor", "mlp_beta_factor", "router_jitter_noise"),
        )
    ),
    doc="MiniMax-Text-01: lightning attention and attention by turns, experts.",
)
