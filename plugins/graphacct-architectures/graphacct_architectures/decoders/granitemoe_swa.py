"""Granite with experts, windows and sinks: Granite-SWA's attention, granitemoeshared's networks.

Names and order as in the transformers library's GraniteMoeSWAForCausalLM (5.23).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.granite_swa import bases, with_sinks
from graphacct_architectures.decoders.granitemoeshared import GraniteMoeSharedConfig, networks
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.family import decoder, layer_types, written_out_alone
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class GraniteMoeSWAConfig(GraniteMoeSharedConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    sliding_window: Dim | None = fields.window(128)
    layer_types: tuple[str, ...] | None = layer_types()
    layer_rope_theta: tuple[float, ...] | None = bases()


def describe(config: GraniteMoeSWAConfig) -> Decoder:
    """Returns layers that differ in their windows and positions."""
    return with_sinks(config, networks(config))


ARCHITECTURE = decoder(
    "granitemoe_swa",
    GraniteMoeSWAConfig,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    attention=("eager", "fused"),
    classes=(CAUSAL, ALONE),
    doc="Granite with experts, windows and sinks.",
)
