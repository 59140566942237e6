"""FSMT (Facebook's translators of WMT19): BART's parts with two vocabularies, sinusoidal positions and no norm of the
embedding. The library's class has the time before the batch, and attention written out alone.

Ng et al., 2019 (arXiv:1907.06616); names and order as in the transformers library's FSMTForConditionalGeneration.
"""

from __future__ import annotations

import attrs

from graphacct import ConfigError, DeclinedError, Dim, PresetFiles, Workload, brief, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.encoder_decoders.bart import KEYS, BartConfig, like_bart
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder, Head, Positions
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder

LM, MODEL = "FSMTForConditionalGeneration", "FSMTModel"


@frozen(kw_only=True)
class FsmtConfig(BartConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL))
    vocab_size: Dim = fields.size(42024)
    src_vocab_size: Dim = fields.size(42024)
    activation_function: str = activation("relu")
    tie_word_embeddings: bool = fields.flag(False)
    pad_token_id: int = fields.size(1, minimum=0)


def describe(config: FsmtConfig) -> EncoderDecoder:
    """Returns equal layers in both stacks. Both classes have the head, which is the decoder's own."""
    if config.tie_word_embeddings:
        raise DeclinedError(
            "tie_word_embeddings is true: FSMT with one table is not modelled, published files have three"
        )
    usable, padding = config.max_position_embeddings, config.pad_token_id
    if type(padding) is not int:
        raise ConfigError(f"pad_token_id is the index of a row, not {brief(padding)}")
    table = Positions("embed_positions", usable + padding + 1, usable, per_sequence=True)
    found = like_bart(config, LM, MODEL, encoder_positions=table, decoder_positions=table)
    root = "" if config.architectures == MODEL else "model."
    return attrs.evolve(
        found,
        vocab_size=config.src_vocab_size,
        decoder_words=config.vocab_size,
        shared="",
        head=Head(f"{root}decoder.output_projection", tied=False),
    )


def inexact(config: FsmtConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not equal to the library's class."""
    return ("saved tensors and element-wise FLOPs of FSMT are BART's: the library's class has the time first",)


ARCHITECTURE = encoder_decoder(
    "fsmt",
    FsmtConfig,
    describe,
    PresetFiles(__file__),
    doc="FSMT: BART's parts, two vocabularies, sinusoidal positions.",
    context=lambda config: config.max_position_embeddings,
    aliases={**KEYS, "tgt_vocab_size": "vocab_size"},
    inexact=inexact,
    no_cost={"langs": None},
)
