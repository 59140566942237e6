"""PLBART: BART for programs; only defaults and classes differ.

Ahmad et al., 2021 (arXiv:2103.06333).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.encoder_decoders.bart import KEYS, BartConfig, like_bart
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

LM, MODEL = "PLBartForConditionalGeneration", "PLBartModel"


@frozen(kw_only=True)
class PLBartConfig(BartConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, "PLBartForSequenceClassification", "PLBartForCausalLM"))
    vocab_size: Dim = fields.size(50005)
    d_model: Dim = fields.size(768)
    encoder_layers: Dim = fields.size(6, minimum=0)
    encoder_ffn_dim: Dim = fields.size(3072)
    encoder_attention_heads: Dim = fields.size(12)
    decoder_layers: Dim = fields.size(6)
    decoder_ffn_dim: Dim = fields.size(3072)
    decoder_attention_heads: Dim = fields.size(12)
    attention_dropout: float = fields.probability(0.1)
    num_labels: Dim = fields.label_count()


def describe(config: PLBartConfig) -> EncoderDecoder:
    """Returns equal layers in both stacks."""
    return like_bart(config, LM, MODEL, embedding_norm="layernorm_embedding")


ARCHITECTURE = encoder_decoder(
    "plbart",
    PLBartConfig,
    describe,
    PresetFiles(__file__),
    doc="PLBART: BART for programs.",
    context=lambda config: config.max_position_embeddings,
    aliases=KEYS,
    language_model="PLBartForCausalLM",
)
