"""Mimi's decoder alone: from latents, which the workload counts as frames, to samples."""

from __future__ import annotations

import attrs

from graphacct import Architecture, Builder, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.audio.mimi import ARCHITECTURE as MIMI
from graphacct_architectures.audio.parts.mimi import MimiConfig, sound_of

MODEL = "MimiDecoderModel"
FRAMES = 13
"""Latents of a second and more."""


@frozen(kw_only=True)
class MimiDecoderConfig(MimiConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL,))


def build(config: MimiDecoderConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from latents (batch, width, frames) to samples (batch, channels, samples)."""
    return sound_of(config, workload, b, b.input("latents", (workload.batch, config.hidden_size, workload.frames)))


ARCHITECTURE: Architecture = attrs.evolve(
    MIMI,
    name="mimi_decoder",
    config=MimiDecoderConfig,
    build=build,
    presets=PresetFiles(__file__),
    sizes={"frames": lambda config: FRAMES},
    per_second={},
    model_types=("mimi_decoder",),
    doc="Mimi's decoder: layers of attention, and convolutions to samples.",
)
