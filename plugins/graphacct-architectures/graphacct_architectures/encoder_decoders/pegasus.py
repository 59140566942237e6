"""PEGASUS: BART's parts with the norms first, a norm after the last layer, and a table of sinusoidal positions.

Zhang et al., 2019 (arXiv:1912.08777). The table is among the parameters, but is not trained.
"""

from __future__ import annotations

from graphacct import PresetFiles, fields, frozen
from graphacct_architectures.encoder_decoders.bart import KEYS, BartConfig, like_bart
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder, Positions
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

LM, MODEL = "PegasusForConditionalGeneration", "PegasusModel"


@frozen(kw_only=True)
class PegasusConfig(BartConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, "PegasusForCausalLM"))


def describe(config: PegasusConfig) -> EncoderDecoder:
    """Returns equal layers in both stacks."""
    count = config.max_position_embeddings
    table = Positions("embed_positions", count, count, frozen=True)
    return like_bart(config, LM, MODEL, norm_first=True, encoder_positions=table, decoder_positions=table)


ARCHITECTURE = encoder_decoder(
    "pegasus",
    PegasusConfig,
    describe,
    PresetFiles(__file__),
    doc="PEGASUS: encoder and decoder, sinusoidal positions, LayerNorm before each part.",
    context=lambda config: config.max_position_embeddings,
    aliases=KEYS,
    language_model="PegasusForCausalLM",
)
