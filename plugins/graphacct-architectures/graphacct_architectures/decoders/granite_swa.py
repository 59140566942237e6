"""Granite with windows and sinks: Granite's multipliers, a learned sink for each head, windows in most layers, rotary
positions by layer.

Names and order as in the transformers library's GraniteSWAForCausalLM (5.23).
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import FeedForward
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    DecoderConfig,
    decoder,
    kinds_of_attention,
    layer_types,
    written_out_alone,
)
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL


def bases() -> Any:
    """Returns the base of rotary positions of each layer, 0 for a layer without; or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[float, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or any(not _base(item) for item in value):
            raise ConfigError(f"{field.name} is a list of numbers, 0 for a layer without positions, not {brief(value)}")
        return tuple(float(item) for item in value)

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


def _base(item: Any) -> bool:
    return isinstance(item, (int, float)) and not isinstance(item, bool) and item >= 0


@frozen(kw_only=True)
class GraniteSWAConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    vocab_size: Dim = fields.size(100352)
    hidden_size: Dim = fields.size(2560)
    intermediate_size: Dim = fields.size(8192)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(20)
    num_key_value_heads: Dim | None = fields.optional_size(4)
    max_position_embeddings: Dim = fields.size(8192)
    tie_word_embeddings: bool = fields.flag(True)
    attention_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)
    sliding_window: Dim | None = fields.window(128)
    layer_types: tuple[str, ...] | None = layer_types()
    layer_rope_theta: tuple[float, ...] | None = bases()


def with_sinks(config: Any, feed_forward: FeedForward) -> Decoder:
    """Returns the decoder; the multipliers are applied even if they are 1."""
    kinds = kinds_of_attention(config, lambda index: FULL if index % 4 == 0 else SLIDING)
    thetas = config.layer_rope_theta
    if thetas is not None and len(thetas) != len(kinds):
        raise ConfigError(
            f"layer_rope_theta has {len(thetas)} numbers, num_hidden_layers is {len(kinds)}: they have to agree"
        )
    used = sorted({theta for theta in thetas or (1.0,) if theta})

    def layer(index: int, kind: str) -> Layer:
        theta = used[0] if thetas is None else thetas[index]
        attention = rotated_attention(
            config,
            rotary=config.d_head if theta else 0,
            rotary_tables=f"rotary_embs.{used.index(theta) if theta else 0}",
            window=config.sliding_window if kind == SLIDING else None,
            sinks=True,
            sinks_after=True,
        )
        return Layer(attention, feed_forward, residual_scaled=True)

    layers = tuple(layer(index, kind) for index, kind in enumerate(kinds))
    tables = tuple((f"rotary_embs.{place}", config.d_head) for place in range(len(used)))
    return around(config, layers, rotary_tables=tables, embedding_scaled=True, logits_scaled=True)


def describe(config: GraniteSWAConfig) -> Decoder:
    """Returns layers that differ in their windows and positions."""
    return with_sinks(config, network(config))


ARCHITECTURE = decoder(
    "granite_swa",
    GraniteSWAConfig,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    attention=("eager", "fused"),
    classes=(CAUSAL, ALONE),
    doc="Granite with windows and sinks.",
)
