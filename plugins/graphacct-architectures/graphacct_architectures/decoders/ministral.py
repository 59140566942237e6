"""Ministral 8B: Mistral's layers, with a window in those that the file lists.

Mistral AI, "Un Ministral, des Ministraux", 2024; names as in the transformers library's MinistralForCausalLM.
"""

from __future__ import annotations

from graphacct import PresetFiles, frozen
from graphacct_architectures.decoders.mistral import MistralConfig
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder, layer_types
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.decoders.parts.windows import alternating


@frozen(kw_only=True)
class MinistralConfig(MistralConfig):
    """The keys of the published config.json that the cost depends on."""

    layer_types: tuple[str, ...] | None = layer_types()


def describe(config: MinistralConfig) -> Decoder:
    """Returns layers that differ at most in their window, which all have unless the file names each layer's kind."""
    layer = Layer(rotated_attention(config), network(config))
    layers = alternating(layer, config.num_hidden_layers, config.sliding_window, config.layer_types, lambda index: True)
    return around(config, layers)


ARCHITECTURE = decoder(
    "ministral",
    MinistralConfig,
    describe,
    PresetFiles(__file__),
    doc="Ministral 8B: Mistral's layers, a window in those that the file lists.",
)
