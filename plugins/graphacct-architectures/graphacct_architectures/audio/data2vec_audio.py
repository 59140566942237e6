"""data2vec's encoder of sound: wav2vec 2.0's with several convolutions of positions.

Baevski et al., 2022 (arXiv:2202.03555).
"""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.audio.parts.description import EACH, Convolved, Waves
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
class Data2VecAudioConfig(AdaptedConfig):
    """The keys of the published config.json that the cost depends on."""

    MODULE: ClassVar[str] = "data2vec_audio"

    architectures: str = known("Data2VecAudio", (LETTERS, SEQUENCE, FRAMES, SPEAKERS))
    num_conv_pos_embeddings: Dim = fields.size(5)
    conv_pos_kernel_size: Dim = fields.size(19)
    feat_extract_norm: Any = fields.checked_field(lambda value, field: EACH, EACH)
    do_stable_layer_norm: Any = fields.checked_field(lambda value, field: False, False)


def describe(config: Data2VecAudioConfig) -> Waves:
    """Returns the encoder, whose stem and layers are always normalized in the same places, whatever a file says."""
    positions = Convolved(
        config.conv_pos_kernel_size,
        config.num_conv_pos_embedding_groups,
        ACTIVATIONS[config.feat_extract_activation],
        layers=config.num_conv_pos_embeddings,
        weight_norm=False,
    )
    return like_wav2vec2(config, positions=positions, adapter=config.adapter)


ARCHITECTURE = waves(
    "data2vec-audio",
    Data2VecAudioConfig,
    describe,
    PresetFiles(__file__),
    doc="data2vec-audio: wav2vec 2.0's encoder with several convolutions of positions.",
)
