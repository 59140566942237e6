"""PLaMo 3: joint projections, normed queries and keys, a norm before and after each part, windows in most layers.

Preferred Networks, "PLaMo 3 NICT", 2025. The class stands in the models' own repositories (`modeling_plamo.py`), not in
the transformers library: names, shapes and order are that file's.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen
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
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL

CENTRED = Norm(centred=True, upcast="all")


def windows() -> Any:
    """Returns the window of all layers that have one, or a list with that of each layer, of which one is kept."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Dim | None:
        if not isinstance(value, (list, tuple)):
            return value if value is None or type(value) is int else _whole(value, field)
        sizes = {item for item in value if item is not None}
        if len(sizes) > 1 or any(type(item) is not int for item in sizes):
            raise ConfigError(f"{field.name} is one window, or null or the same one for each layer, not {brief(value)}")
        return sizes.pop() if sizes else None

    return fields.checked_field(check, 2048, metadata=fields.OPTIONAL)


def _whole(value: Any, field: attrs.Attribute[Any]) -> Dim:
    raise ConfigError(f"{field.name} is a number of positions, or a list of them, not {brief(value)}")


@frozen(kw_only=True)
class Plamo3Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    intermediate_size: Dim = fields.size(16384)
    num_key_value_heads: Dim | None = fields.optional_size(4)
    head_dim: Dim | None = fields.optional_size(128)
    sliding_window: Dim | None = windows()
    sliding_window_pattern: int = fields.size(8)
    layer_types: tuple[str, ...] | None = layer_types()


def describe(config: Plamo3Config) -> Decoder:
    """Returns layers of which one of `sliding_window_pattern` sees everything."""
    every = config.sliding_window_pattern
    kinds = kinds_of_attention(config, lambda index: FULL if (index + 1) % every == 0 else SLIDING)

    def layer(kind: str) -> Layer:
        attention = rotated_attention(
            config,
            module="mixer",
            joint="qkv_proj",
            qk_norm="head",
            rotary_tables="rotary_emb_local" if kind == SLIDING else "rotary_emb",
            window=config.sliding_window if kind == SLIDING else None,
        )
        return Layer(
            attention,
            network(config, joint="gate_up_proj"),
            norm=CENTRED,
            attention_norm="pre_mixer_norm",
            attention_post_norm="post_mixer_norm",
            mlp_norm="pre_mlp_norm",
            mlp_post_norm="post_mlp_norm",
        )

    tables = (("rotary_emb", config.d_head), ("rotary_emb_local", config.d_head))
    layers = tuple(layer(kind) for kind in kinds)
    return around(config, layers, stack="layers.layers", norm_kind=CENTRED, rotary_tables=tables)


ARCHITECTURE = decoder(
    "plamo3",
    Plamo3Config,
    describe,
    PresetFiles(__file__),
    aliases={"interleaved_sliding_window": "sliding_window"},
    classes=(CAUSAL, ALONE),
    no_cost=dict.fromkeys(("rope_local_theta", "tokenizer_class", "linear_type")),
    doc="PLaMo 3: joint projections, normed queries and keys, windows in most layers.",
)
