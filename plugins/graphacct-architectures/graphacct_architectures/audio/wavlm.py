"""WavLM: wav2vec 2.0's encoder with gated biases of the scores by distance.

Chen et al., 2021 (arXiv:2110.13900).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.audio.parts.description import Gated, Waves
from graphacct_architectures.audio.parts.family import (
    FRAMES,
    LETTERS,
    SEQUENCE,
    SPEAKERS,
    AdaptedConfig,
    known,
    like_wav2vec2,
    waves,
)


@frozen(kw_only=True)
class WavLMConfig(AdaptedConfig):
    """The keys of the published config.json that the cost depends on."""

    MODULE: ClassVar[str] = "wavlm"

    architectures: str = known("WavLM", (LETTERS, SEQUENCE, FRAMES, SPEAKERS))
    num_buckets: Dim = fields.size(320)


def describe(config: WavLMConfig) -> Waves:
    """Returns the encoder."""
    return like_wav2vec2(config, adapter=config.adapter, gated=Gated(config.num_buckets))


ARCHITECTURE = waves(
    "wavlm",
    WavLMConfig,
    describe,
    PresetFiles(__file__),
    doc="WavLM: wav2vec 2.0's encoder with gated biases by distance; alone or with the head of a class.",
    attention=("eager", "fused"),
    no_cost={"max_bucket_distance": None, "num_ctc_classes": None},
)
