"""Mixtral: Mistral's attention and experts in every layer, of which each token runs through two.

Jiang et al., 2024 (arXiv:2401.04088).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.sparse import at_most


@frozen(kw_only=True)
class MixtralConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    intermediate_size: Dim = fields.size(14336)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    max_position_embeddings: Dim = fields.size(131072)
    sliding_window: Dim | None = fields.window()
    num_local_experts: Dim = fields.size(8)
    num_experts_per_tok: Dim = fields.size(2)


def describe(config: MixtralConfig) -> Decoder:
    """Returns a stack of equal layers."""
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        rotary=config.d_head,
        window=config.sliding_window,
        dropout=config.attention_dropout,
    )
    experts = Experts(
        config.num_local_experts,
        at_most(config.num_experts_per_tok, config.num_local_experts, "num_experts_per_tok, num_local_experts"),
        config.intermediate_size,
        ACTIVATIONS[config.hidden_act],
        normalised=True,
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        Layer(attention, experts),
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),),
    )


ARCHITECTURE = decoder(
    "mixtral",
    MixtralConfig,
    describe,
    PresetFiles(__file__),
    aliases={"num_experts": "num_local_experts"},
    translated=("num_experts",),
    doc="Mixtral: Mistral's attention, experts of which each token runs through two.",
)
