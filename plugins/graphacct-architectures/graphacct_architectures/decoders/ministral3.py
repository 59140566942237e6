"""Ministral 3: Mistral's layers, queries multiplied by a factor that grows with the position.

Mistral AI, 2025; names and order as in the transformers library's Ministral3ForCausalLM.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from graphacct import ConfigError, Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.mistral import MistralConfig
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention

NEEDED = ("llama_4_scaling_beta", "original_max_position_embeddings")
"""Settings of the factor, which the class cannot do without; its default settings have them."""


@frozen(kw_only=True)
class Ministral3Config(MistralConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    vocab_size: Dim = fields.size(131072)
    num_hidden_layers: Dim = fields.size(34)
    head_dim: Dim | None = fields.optional_size(128)
    max_position_embeddings: Dim = fields.size(262144)
    sliding_window: Dim | None = fields.window()


def describe(config: Ministral3Config) -> Decoder:
    """Returns a stack of equal layers."""
    check_settings(config.rope_parameters)
    attention = rotated_attention(config, window=config.sliding_window, position_scaled=True)
    return around(config, Layer(attention, network(config)))


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raises ConfigError if settings are given without those of the factor."""
    missing = [key for key in NEEDED if settings and settings.get(key) is None]
    if missing:
        raise ConfigError(f"rope_parameters has no {missing[0]}, from which this class makes the factor of each query")


ARCHITECTURE = decoder(
    "ministral3",
    Ministral3Config,
    describe,
    PresetFiles(__file__),
    doc="Ministral 3: Mistral's layers, queries scaled by position.",
)
