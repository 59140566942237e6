"""Blenderbot: BART's parts with the norms first, a norm after the last layer, and no spare positions.

Roller et al., 2020 (arXiv:2004.13637).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.encoder_decoders.bart import KEYS, BartConfig, like_bart
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder, Positions
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

LM, MODEL = "BlenderbotForConditionalGeneration", "BlenderbotModel"


@frozen(kw_only=True)
class BlenderbotConfig(BartConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, "BlenderbotForCausalLM"))
    vocab_size: Dim = fields.size(8008)
    max_position_embeddings: Dim = fields.size(128)
    d_model: Dim = fields.size(2560)
    encoder_layers: Dim = fields.size(2, minimum=0)
    encoder_ffn_dim: Dim = fields.size(10240)
    encoder_attention_heads: Dim = fields.size(32)
    decoder_layers: Dim = fields.size(24)
    decoder_ffn_dim: Dim = fields.size(10240)
    decoder_attention_heads: Dim = fields.size(32)


def describe(config: BlenderbotConfig) -> EncoderDecoder:
    """Returns equal layers in both stacks."""
    table = Positions("embed_positions", config.max_position_embeddings, config.max_position_embeddings)
    return like_bart(config, LM, MODEL, norm_first=True, encoder_positions=table, decoder_positions=table)


ARCHITECTURE = encoder_decoder(
    "blenderbot",
    BlenderbotConfig,
    describe,
    PresetFiles(__file__),
    doc="Blenderbot: encoder and decoder, learned positions, LayerNorm before each part.",
    context=lambda config: config.max_position_embeddings,
    aliases=KEYS,
    language_model="BlenderbotForCausalLM",
)
