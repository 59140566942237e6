"""Blenderbot Small: BART's parts without spare positions; the decoder normalizes words before it adds positions.

Roller et al., 2020 (arXiv:2004.13637).
"""

from __future__ import annotations

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.encoder_decoders.bart import KEYS, BartConfig, like_bart
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder, Positions
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

LM, MODEL = "BlenderbotSmallForConditionalGeneration", "BlenderbotSmallModel"


@frozen(kw_only=True)
class BlenderbotSmallConfig(BartConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, "BlenderbotSmallForCausalLM"))
    max_position_embeddings: Dim = fields.size(512)
    d_model: Dim = fields.size(512)
    encoder_layers: Dim = fields.size(8, minimum=0)
    encoder_ffn_dim: Dim = fields.size(2048)
    decoder_layers: Dim = fields.size(8)
    decoder_ffn_dim: Dim = fields.size(2048)


def describe(config: BlenderbotSmallConfig) -> EncoderDecoder:
    """Returns equal layers in both stacks."""
    table = Positions("embed_positions", config.max_position_embeddings, config.max_position_embeddings)
    return like_bart(
        config,
        LM,
        MODEL,
        embedding_norm="layernorm_embedding",
        encoder_positions=table,
        decoder_positions=attrs.evolve(table, after_norm=True),
    )


ARCHITECTURE = encoder_decoder(
    "blenderbot-small",
    BlenderbotSmallConfig,
    describe,
    PresetFiles(__file__),
    doc="Blenderbot Small: encoder and decoder, learned positions, LayerNorm after each part.",
    context=lambda config: config.max_position_embeddings,
    aliases=KEYS,
    language_model="BlenderbotSmallForCausalLM",
)
