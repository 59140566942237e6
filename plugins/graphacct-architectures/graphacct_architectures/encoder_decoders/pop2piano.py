"""Pop2Piano: T5 whose encoder is given a spectrum as wide as its stream.

Choi and Lee, 2022 (arXiv:2211.00895). The table of composers, whose rows `generate` puts before a spectrum, is in
memory.
"""

from __future__ import annotations

from functools import partial

import attrs

from graphacct import Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.encoder_decoders import t5
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder, Entry, Head
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder
from graphacct_architectures.encoder_decoders.t5 import GATED, T5Config, projection
from graphacct_architectures.layers import dropped, resident

LM = "Pop2PianoForConditionalGeneration"
FRAMES = 256
"""Frames of a spectrum unless a workload says so."""


@frozen(kw_only=True)
class Pop2PianoConfig(T5Config):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM,))
    vocab_size: Dim = fields.size(2400)
    composer_vocab_size: Dim = fields.size(21)
    feed_forward_proj: str = projection("gated-gelu")
    dense_act_fn: str = activation("relu")

    @property
    def gated(self) -> bool:
        """Whether the network has a gate: the projection's key says it unless the file states more."""
        stated = self.is_gated_act
        return self.feed_forward_proj.startswith(GATED) if stated is None else stated

    @property
    def activation(self) -> str:
        """The network's operator, by its own key."""
        return ACTIVATIONS[self.dense_act_fn]


def spectrum(config: Pop2PianoConfig, workload: Workload, b: Builder) -> Value:
    """Adds the frames, (batch, frames, width)."""
    composers = b.parameter("mel_conditioner.embedding.weight", (config.composer_vocab_size, config.d_model))
    resident(b, "mel_conditioner.embedding", composers, lookup=True)
    return b.input("input_features", (workload.batch, workload.frames, config.d_model))


def entered(config: Pop2PianoConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the stream that enters the encoder's layers; no words are looked up."""
    words = b.parameter("embed_tokens.weight", (config.vocab_size, config.d_model), tied_to="shared.weight")
    resident(b, "embed_tokens", words, lookup=True)
    return dropped(b, "drop", x, config.dropout_rate, workload)


def describe(config: Pop2PianoConfig) -> EncoderDecoder:
    """Returns T5 with another entry, and a head of its own."""
    d = t5.describe(config)
    assert d.encoder is not None
    encoder = attrs.evolve(d.encoder, entry=Entry(partial(spectrum, config), partial(entered, config)))
    return attrs.evolve(d, encoder=encoder, head=Head(tied=False, scaled=config.tie_word_embeddings))


ARCHITECTURE = encoder_decoder(
    "pop2piano",
    Pop2PianoConfig,
    describe,
    PresetFiles(__file__),
    doc="Pop2Piano: T5 whose encoder is given a spectrum.",
    context=lambda config: config.n_positions,
    sounds={"frames": lambda config: FRAMES},
    aliases={"hidden_size": "d_model", "num_attention_heads": "num_heads"},
    no_cost=dict.fromkeys(("relative_attention_max_distance",)),
)
