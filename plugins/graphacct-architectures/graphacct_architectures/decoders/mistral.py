"""Mistral: Llama's layers, with a window on the attention of all layers in the first version.

Jiang et al., 2023 (arXiv:2310.06825).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.heads import first_class


@frozen(kw_only=True)
class MistralConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    architectures: str = first_class(called=("GritLM",))
    intermediate_size: Dim = fields.size(14336)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    max_position_embeddings: Dim = fields.size(131072)
    sliding_window: Dim | None = fields.window(4096)


def describe(config: MistralConfig) -> Decoder:
    """Returns a stack of equal layers."""
    attention = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        rotary=config.d_head,
        window=config.sliding_window,
        dropout=config.attention_dropout,
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        Layer(attention, Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act])),
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.d_head),),
    )


ARCHITECTURE = decoder(
    "mistral",
    MistralConfig,
    describe,
    PresetFiles(__file__),
    doc="Mistral: Llama's layers; the first version attends to a window.",
)
