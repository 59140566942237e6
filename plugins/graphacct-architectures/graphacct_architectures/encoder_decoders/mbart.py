"""mBART: BART's parts with the norms first, a norm after the last layer, and several languages' words.

Liu et al., 2020 (arXiv:2001.08210).
"""

from __future__ import annotations

from graphacct import PresetFiles, fields, frozen
from graphacct_architectures.encoder_decoders.bart import KEYS, BartConfig, like_bart
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

LM, MODEL = "MBartForConditionalGeneration", "MBartModel"
CLASSES = (LM, MODEL, "MBartForSequenceClassification", "MBartForQuestionAnswering", "MBartForCausalLM")


@frozen(kw_only=True)
class MBartConfig(BartConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, CLASSES)


def describe(config: MBartConfig) -> EncoderDecoder:
    """Returns equal layers in both stacks."""
    return like_bart(config, LM, MODEL, embedding_norm="layernorm_embedding", norm_first=True)


ARCHITECTURE = encoder_decoder(
    "mbart",
    MBartConfig,
    describe,
    PresetFiles(__file__),
    doc="mBART: encoder and decoder, learned positions, LayerNorm before each part.",
    context=lambda config: config.max_position_embeddings,
    aliases=KEYS,
    language_model="MBartForCausalLM",
)
