"""Mimi's encoder alone: from samples to latents."""

from __future__ import annotations

import attrs

from graphacct import Architecture, Builder, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.audio.mimi import ARCHITECTURE as MIMI
from graphacct_architectures.audio.parts.mimi import MimiConfig, latents

MODEL = "MimiEncoderModel"


@frozen(kw_only=True)
class MimiEncoderConfig(MimiConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL,))


def build(config: MimiEncoderConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from samples (batch, channels, samples) to latents (batch, width, count)."""
    sound = b.input("input_values", (workload.batch, config.audio_channels, workload.samples))
    return latents(config, workload, b, sound)


ARCHITECTURE: Architecture = attrs.evolve(
    MIMI,
    name="mimi_encoder",
    config=MimiEncoderConfig,
    build=build,
    presets=PresetFiles(__file__),
    model_types=("mimi_encoder",),
    doc="Mimi's encoder: convolutions over samples and layers of attention.",
)
