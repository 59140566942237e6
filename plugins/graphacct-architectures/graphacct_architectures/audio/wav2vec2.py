"""wav2vec 2.0: convolutions over samples, positions by a convolution, layers of attention.

Baevski et al., 2020 (arXiv:2006.11477).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.audio.parts.description import Waves
from graphacct_architectures.audio.parts.family import (
    HEADS,
    AdaptedConfig,
    known,
    like_wav2vec2,
    waves,
)


@frozen(kw_only=True)
class Wav2Vec2Config(AdaptedConfig):
    """The keys of the published config.json that the cost depends on."""

    MODULE: ClassVar[str] = "wav2vec2"

    architectures: str = known("Wav2Vec2", HEADS)
    adapter_attn_dim: Dim | None = fields.optional_size()


def describe(config: Wav2Vec2Config) -> Waves:
    """Returns the encoder; only layers with their norms first have adapters of their own."""
    inner = config.adapter_attn_dim if config.do_stable_layer_norm else None
    return like_wav2vec2(config, adapter=config.adapter, layer_adapter=inner)


ARCHITECTURE = waves(
    "wav2vec2",
    Wav2Vec2Config,
    describe,
    PresetFiles(__file__),
    doc="wav2vec 2.0: convolutions over samples, positions by a convolution; alone or with the head of a class.",
)
