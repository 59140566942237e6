"""Granite 3: Llama's layers with constant multipliers of the embedding, the scores, each residual and the logits.

Granite Team, IBM, "Granite 3.0 Language Models", 2024.
"""

from __future__ import annotations

import attrs

from graphacct import PresetFiles
from graphacct_architectures.decoders.llama import LlamaConfig
from graphacct_architectures.decoders.llama import describe as llama
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL


def describe(config: LlamaConfig) -> Decoder:
    """Returns a stack of equal layers; the multipliers are applied even if they are 1."""
    plain = llama(config)
    assert isinstance(plain.layer, Layer)
    layer = attrs.evolve(plain.layer, residual_scaled=True)
    return attrs.evolve(plain, layer=layer, embedding_scaled=True, logits_scaled=True)


ARCHITECTURE = decoder(
    "granite",
    LlamaConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    doc="Granite 3: Llama's layers with constant multipliers.",
)
