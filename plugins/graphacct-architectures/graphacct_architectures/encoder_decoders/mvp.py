"""MVP: BART's parts, whose decoder looks positions up for each sequence; without prompts of its own.

Tang et al., 2022 (arXiv:2206.12131); names and order as in the transformers library's MvpForConditionalGeneration.
"""

from __future__ import annotations

import attrs

from graphacct import Dim, PresetFiles, fields
from graphacct_architectures.encoder_decoders.bart import KEYS, SPARE, BartConfig, like_bart
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder, Positions
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

LM, MODEL = "MvpForConditionalGeneration", "MvpModel"
SEQUENCE, SPANS, CAUSAL = "MvpForSequenceClassification", "MvpForQuestionAnswering", "MvpForCausalLM"


@attrs.frozen(kw_only=True)
class MvpConfig(BartConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, SEQUENCE, SPANS, CAUSAL))
    vocab_size: Dim = fields.size(50267)
    use_prompt: bool = fields.always(False)


def describe(config: MvpConfig) -> EncoderDecoder:
    """Returns equal layers in both stacks."""
    count = config.max_position_embeddings
    places = Positions("embed_positions", count + SPARE, count, per_sequence=True)
    return like_bart(config, LM, MODEL, embedding_norm="layernorm_embedding", decoder_positions=places)


ARCHITECTURE = encoder_decoder(
    "mvp",
    MvpConfig,
    describe,
    PresetFiles(__file__),
    doc="MVP: BART's parts for many tasks, without prompts.",
    context=lambda config: config.max_position_embeddings,
    aliases=KEYS,
    language_model=CAUSAL,
    no_cost={"prompt_length": None, "prompt_mid_dim": None},
)
