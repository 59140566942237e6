"""Emu3's decoder: Llama's layers, whose outputs are dropped in training as attention's weights are.

Wang et al., 2024 (arXiv:2409.18869).
"""

from __future__ import annotations

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders import llama
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder


@frozen(kw_only=True)
class Emu3TextConfig(llama.LlamaConfig):
    """The keys that the cost depends on."""

    vocab_size: Dim = fields.size(184622)
    intermediate_size: Dim = fields.size(14336)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    max_position_embeddings: Dim = fields.size(9216)
    attention_dropout: float = fields.probability(0.1)


def describe(config: Emu3TextConfig) -> Decoder:
    """Returns Llama's layers, with dropout."""
    found = llama.describe(config)
    assert isinstance(found.layer, Layer)
    return attrs.evolve(found, layer=attrs.evolve(found.layer, dropout=config.attention_dropout))


ARCHITECTURE = decoder(
    "emu3_text_model",
    Emu3TextConfig,
    describe,
    PresetFiles(__file__),
    classes=("ForCausalLM", "Model"),
    stem="Emu3Text",
    doc="Emu3's decoder: Llama's layers with dropout of their outputs.",
)
