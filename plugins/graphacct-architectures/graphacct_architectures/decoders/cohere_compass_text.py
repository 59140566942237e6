"""The text model of North Micro Vision: Command R7B's parallel layers, rotated in the kinds of layers that have rotary
settings.

Cohere, 2026; names and order as in the transformers library's CohereCompassForCausalLM.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import ConfigError, Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.cohere import NORM, CohereConfig
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import (
    FULL,
    SLIDING,
    decoder,
    kinds_of_attention,
    layer_types,
    tables_of_each,
    width_over_heads,
)
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE


@frozen(kw_only=True)
class CohereCompassTextConfig(CohereConfig):
    """The keys of the published config.json that the cost depends on."""

    use_qk_norm: bool = fields.always(False)
    sliding_window: Dim | None = fields.window(4096)
    layer_types: tuple[str, ...] | None = layer_types()

    @property
    def d_head(self) -> Dim:
        """The width of a head, whatever the file says."""
        return width_over_heads(self)


def describe(config: CohereCompassTextConfig) -> Decoder:
    """Returns layers that differ in their window and in being rotated; all are without any settings. Raises ConfigError
    for a kind of layer that the settings leave out, where the class does not run either."""
    kinds = kinds_of_attention(config, lambda index: FULL)
    settings: Mapping[str, Any] = config.rope_parameters
    rotated: dict[str, Dim] = {}
    for kind in dict.fromkeys(kinds):
        if settings and kind not in settings:
            raise ConfigError(
                f"rope_parameters has no {kind}: give the rotary settings of each kind of layer, null for none"
            )
        if not settings or settings[kind] is not None:
            rotated[kind] = config.d_head

    def layer(kind: str) -> Layer:
        attention = rotated_attention(
            config,
            rotary=rotated.get(kind, 0),
            rotary_tables=f"rotary_emb.{kind}",
            window=config.sliding_window if kind == SLIDING else None,
        )
        return Layer(attention, network(config), NORM, mlp_norm="", parallel=True)

    tables = tuple((f"rotary_emb.{kind}", width) for kind, width in rotated.items())
    return around(config, tuple(map(layer, kinds)), norm_kind=NORM, logits_scaled=True, rotary_tables=tables)


ARCHITECTURE = decoder(
    "cohere_compass_text",
    CohereCompassTextConfig,
    describe,
    PresetFiles(__file__),
    stem="CohereCompassText",
    classes=(CAUSAL, ALONE, SEQUENCE),
    inexact=tables_of_each,
    no_cost={"order_of_interleaved_layers": None, "pooling": None, "rotary_pct": None},
    doc="North Micro Vision's text model: parallel layers, rotary settings for each kind of layer.",
)
