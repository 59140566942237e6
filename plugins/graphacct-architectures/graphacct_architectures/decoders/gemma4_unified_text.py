"""The language model of Gemma 4's models without towers: Gemma 4's, with neither experts nor inputs of layers' own.

Google DeepMind, "Gemma 4", 2026.
"""

from __future__ import annotations

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders import gemma4_text
from graphacct_architectures.decoders.gemma4_text import VISION, Gemma4TextConfig, both_ways
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.heads import ALONE, CAUSAL


@frozen(kw_only=True)
class Gemma4UnifiedTextConfig(Gemma4TextConfig):
    """The keys of the published config.json that the cost depends on. The class has no part that the keys of experts
    and of layers' own inputs speak of, whatever a file says."""

    sliding_window: Dim | None = fields.size(1024)
    use_bidirectional_attention: str | None = both_ways(VISION)
    max_position_embeddings: Dim = fields.size(262144)
    hidden_size_per_layer_input: Dim = fields.size(0, minimum=0)


def describe(config: Gemma4UnifiedTextConfig) -> Decoder:
    """Returns Gemma 4's layers without those parts."""
    return gemma4_text.describe(attrs.evolve(config, hidden_size_per_layer_input=0, enable_moe_block=False))


ARCHITECTURE = decoder(
    "gemma4_unified_text",
    Gemma4UnifiedTextConfig,
    describe,
    PresetFiles(__file__),
    aliases={"hidden_act": "hidden_activation"},
    classes=(CAUSAL, ALONE),
    doc="Gemma 4's language model for images and sounds without towers.",
)
