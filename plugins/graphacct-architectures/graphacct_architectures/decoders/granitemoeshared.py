"""Granite with experts and a network that every token runs through, beside the experts' module.

Names and order as in the transformers library's GraniteMoeSharedForCausalLM.
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.granitemoe import GraniteMoeConfig, experts, granite
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class GraniteMoeSharedConfig(GraniteMoeConfig):
    """The keys of the published config.json that the cost depends on."""

    any_width: ClassVar[bool] = True
    shared_intermediate_size: Dim = fields.size(0, minimum=0)


def networks(config: GraniteMoeSharedConfig) -> Experts:
    """Returns the experts, and the shared network if there is one."""
    if equal(config.shared_intermediate_size, 0):
        return experts(config)
    shared = Mlp(
        config.shared_intermediate_size,
        ACTIVATIONS[config.hidden_act],
        module="shared_mlp",
        joint="input_linear",
        down="output_linear",
    )
    return experts(config, shared=shared, shared_beside=True)


def describe(config: GraniteMoeSharedConfig) -> Decoder:
    """Returns a stack of equal layers."""
    return granite(config, networks(config))


ARCHITECTURE = decoder(
    "granitemoeshared",
    GraniteMoeSharedConfig,
    describe,
    PresetFiles(__file__),
    classes=(CAUSAL, ALONE),
    doc="Granite with experts and a shared network.",
)
