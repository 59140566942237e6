"""Apertus: Llama's attention with normed heads, a network without a gate whose activation has two learned numbers.

Apertus Team, 2025 (arXiv:2509.14233); Huang and Schlag, 2024 (arXiv:2411.13010).
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, expected
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.feed_forward import XIELU
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL, TOKENS


def _activation() -> Any:
    """Returns a key that names an activation, xielu too."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        if not isinstance(value, str) or value not in (XIELU, *ACTIVATIONS):
            raise ConfigError(f"{field.name} cannot be {brief(value)}{expected(str(value))}")
        return value

    return fields.checked_field(check, XIELU)


@frozen(kw_only=True)
class ApertusConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    vocab_size: Dim = fields.size(131072)
    intermediate_size: Dim = fields.size(14336)
    hidden_act: str = _activation()
    max_position_embeddings: Dim = fields.size(65536)
    attention_bias: bool = fields.flag(False)


def describe(config: ApertusConfig) -> Decoder:
    """Returns a stack of equal layers."""
    name = config.hidden_act
    layer = Layer(
        rotated_attention(config, qk_norm="head"),
        Mlp(config.intermediate_size, XIELU if name == XIELU else ACTIVATIONS[name], gated=False),
        attention_norm="attention_layernorm",
        mlp_norm="feedforward_layernorm",
    )
    return around(config, layer)


ARCHITECTURE = decoder(
    "apertus",
    ApertusConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE, TOKENS),
    no_cost={"mlp_bias": (False,), "qk_norm": (True,), "post_norm": (False,)},
    doc="Apertus: normed queries and keys, xIELU without a gate.",
)
