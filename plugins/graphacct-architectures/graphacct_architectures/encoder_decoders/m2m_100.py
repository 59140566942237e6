"""M2M-100 and NLLB-200: BART's parts with the norms first, and sinusoidal positions that start after the padding's.

Fan et al., 2020 (arXiv:2010.11125); NLLB Team, 2022 (arXiv:2207.04672). The table of positions is no parameter.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.encoder_decoders.bart import KEYS, SPARE, BartConfig, like_bart
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder, Positions
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

LM, MODEL = "M2M100ForConditionalGeneration", "M2M100Model"


@frozen(kw_only=True)
class M2M100Config(BartConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL))
    vocab_size: Dim = fields.size(128112)
    activation_function: str = activation("relu")
    attention_dropout: float = fields.probability(0.1)
    encoder_layerdrop: float = fields.probability(0.05)
    decoder_layerdrop: float = fields.probability(0.05)
    pad_token_id: Dim = fields.size(1, minimum=0)


def describe(config: M2M100Config) -> EncoderDecoder:
    """Returns equal layers in both stacks. A sequence for which the table is too short makes a longer one, which
    changes no FLOPs."""
    count = config.max_position_embeddings + SPARE
    table = Positions("embed_positions", count, count - config.pad_token_id - 1, per_sequence=True, computed=True)
    return like_bart(
        config, LM, MODEL, norm_first=True, encoder_positions=table, decoder_positions=table, logits_bias=""
    )


ARCHITECTURE = encoder_decoder(
    "m2m_100",
    M2M100Config,
    describe,
    PresetFiles(__file__),
    doc="M2M-100 and NLLB-200: encoder and decoder, sinusoidal positions, LayerNorm before each part.",
    context=lambda config: config.max_position_embeddings,
    aliases=KEYS,
    counts_dropped=True,
)
