"""Marian (OPUS-MT): BART's parts with a table of sinusoidal positions and without a norm of the embedding.

Junczys-Dowmunt et al., 2018 (arXiv:1804.00344); Tiedemann and Thottingal, 2020. Encoder and decoder may have
vocabularies of their own, each with its table. The table of positions is among the parameters, but is not trained.
"""

from __future__ import annotations

from typing import Any

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.encoder_decoders.bart import KEYS, BartConfig, like_bart
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder, Positions
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

LM, MODEL, CAUSAL = "MarianMTModel", "MarianModel", "MarianForCausalLM"


@frozen(kw_only=True)
class MarianConfig(BartConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, CAUSAL))
    vocab_size: Dim = fields.size(58101)
    decoder_vocab_size: Dim | None = fields.optional_size()
    share_encoder_decoder_embeddings: bool = fields.flag(True)


def describe(config: MarianConfig) -> EncoderDecoder:
    """Returns equal layers in both stacks, and one vocabulary or two."""
    count = config.max_position_embeddings
    table = Positions("embed_positions", count, count, frozen=True)
    words: dict[str, Any] = {}
    own = config.decoder_vocab_size
    if config.architectures == CAUSAL:
        words = {"decoder_words": own, "head_words": None if config.tie_word_embeddings else config.vocab_size}
    elif not config.share_encoder_decoder_embeddings:
        words = {"shared": "", "decoder_words": own}
    elif not config.tie_word_embeddings:
        words = {"decoder_words": own, "head_words": config.vocab_size}
    return like_bart(config, LM, MODEL, encoder_positions=table, decoder_positions=table, **words)


ARCHITECTURE = encoder_decoder(
    "marian",
    MarianConfig,
    describe,
    PresetFiles(__file__),
    doc="Marian and OPUS-MT: encoder and decoder, sinusoidal positions, LayerNorm after each part.",
    context=lambda config: config.max_position_embeddings,
    aliases=KEYS,
    language_model=CAUSAL,
)
