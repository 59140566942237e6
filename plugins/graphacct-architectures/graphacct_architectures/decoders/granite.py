"""Granite 3: Llama's layers with constant multipliers of the embedding, the scores, each residual and the logits.

Granite Team, IBM, "Granite 3.0 Language Models", 2024.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct_architectures.decoders.llama import LlamaConfig
from graphacct_architectures.decoders.llama import describe as llama
from graphacct_architectures.decoders.parts.description import Decoder, Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL


def describe(config: LlamaConfig) -> Decoder:
    """A stack of equal layers; the multipliers are applied whatever they are."""
    plain = llama(config)
    assert isinstance(plain.layer, Layer)
    layer = attrs.evolve(plain.layer, residual_scaled=True)
    return attrs.evolve(plain, layer=layer, embedding_scaled=True, logits_scaled=True)


def _preset(vocab_size: int, context: int, **sizes: Any) -> LlamaConfig:
    common = {"num_hidden_layers": 40, "num_key_value_heads": 8, "tie_word_embeddings": True, "dtype": "bfloat16"}
    return LlamaConfig(vocab_size=vocab_size, max_position_embeddings=context, **{**common, **sizes})


TWO_B: Mapping[str, Any] = {"hidden_size": 2048, "intermediate_size": 8192}
EIGHT_B: Mapping[str, Any] = {"hidden_size": 4096, "intermediate_size": 12800}
PRESETS = {
    "granite-3.0-2b": _preset(49155, 4096, **TWO_B),
    "granite-3.0-8b": _preset(49155, 4096, **EIGHT_B),
    "granite-3.1-2b": _preset(49152, 131072, **TWO_B),
    "granite-3.1-8b": _preset(49152, 131072, **EIGHT_B),
}
ARCHITECTURE = decoder(
    "granite",
    LlamaConfig,
    describe,
    PRESETS,
    classes=(CAUSAL, ALONE),
    doc="Granite 3: Llama's layers with constant multipliers.",
)
