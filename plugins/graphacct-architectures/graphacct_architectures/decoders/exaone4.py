"""EXAONE 4: norms after each part, normed heads, and windows in most layers, which alone are rotated by position.

LG AI Research, 2025 (arXiv:2507.11407).
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen
from graphacct_architectures.decoders.olmo2 import normed_last
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    DecoderConfig,
    decoder,
    kinds_of_attention,
    layer_types,
)
from graphacct_architectures.decoders.parts.usual import around, rotated_attention


def _pattern() -> Any:
    """Returns the pattern of windows: each such layer sees all positions, or a letter for each of a period of layers
    (L with a window, G without)."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Any:
        letters = isinstance(value, str) and value and not set(value) - {"L", "G"}
        number = type(value) is int and value >= 0
        if value is not None and not letters and not number:
            raise ConfigError(f"{field.name} is a number of layers, or letters L and G, not {brief(value)}")
        return value

    return fields.checked_field(check, 4, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class Exaone4Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    vocab_size: Dim = fields.size(102400)
    intermediate_size: Dim = fields.size(16384)
    num_key_value_heads: Dim | None = fields.optional_size(32)
    sliding_window: Dim | None = fields.window(4096)
    sliding_window_pattern: int | str | None = _pattern()
    layer_types: tuple[str, ...] | None = layer_types()

    def usual(self, index: int) -> str:
        """Returns the kind of a layer of which the file does not say it: the class knows numbers alone."""
        pattern = self.sliding_window_pattern
        if self.sliding_window is None:
            return FULL
        if type(pattern) is not int or pattern == 0:
            raise ConfigError(
                f"sliding_window_pattern is {brief(pattern)}, from which the class makes no layers: add layer_types"
            )
        return SLIDING if (index + 1) % pattern else FULL


def describe(config: Exaone4Config) -> Decoder:
    """Returns layers that differ in their window; without windows all are rotated."""
    kinds = kinds_of_attention(config, config.usual)

    def layer(kind: str) -> Layer:
        rotated = config.sliding_window is None or kind == SLIDING
        attention = rotated_attention(
            config,
            rotary=config.d_head if rotated else 0,
            qk_norm="head",
            window=config.sliding_window if kind == SLIDING else None,
        )
        return normed_last(config, attention, Norm())

    return around(config, tuple(map(layer, kinds)))


ARCHITECTURE = decoder(
    "exaone4",
    Exaone4Config,
    describe,
    PresetFiles(__file__),
    span="transformer",
    doc="EXAONE 4: norms after each part, windows and rotary positions in the same layers.",
)
