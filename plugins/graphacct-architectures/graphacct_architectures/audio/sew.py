"""SEW: wav2vec 2.0's encoder whose layers see neighbouring positions as one.

Wu et al., 2021 (arXiv:2109.06870).
"""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.audio.parts.description import Convolved, Waves
from graphacct_architectures.audio.parts.family import LETTERS, SEQUENCE, WavesConfig, known, like_wav2vec2, waves

WIDTHS = (64, 128, 128, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512)
STRIDES = (5, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1)
KERNELS = (10, 3, 1, 3, 1, 3, 1, 3, 1, 2, 1, 2, 1)


@frozen(kw_only=True)
class SEWConfig(WavesConfig):
    """The keys of the published config.json that the cost depends on."""

    MODULE: ClassVar[str] = "sew"

    architectures: str = known("SEW", (LETTERS, SEQUENCE))
    squeeze_factor: Dim = fields.size(2)
    conv_dim: tuple[Dim, ...] = fields.counts(WIDTHS)
    conv_stride: tuple[Dim, ...] = fields.counts(STRIDES)
    conv_kernel: tuple[Dim, ...] = fields.counts(KERNELS)
    do_stable_layer_norm: Any = fields.checked_field(lambda value, field: False, False)


def describe(config: SEWConfig) -> Waves:
    """Returns the encoder, whose layers have their norms last, whatever a file says."""
    positions = Convolved(
        config.num_conv_pos_embeddings,
        config.num_conv_pos_embedding_groups,
        ACTIVATIONS[config.feat_extract_activation],
        stride=config.squeeze_factor,
    )
    return like_wav2vec2(config, positions=positions, projected=False, squeeze=config.squeeze_factor)


ARCHITECTURE = waves(
    "sew",
    SEWConfig,
    describe,
    PresetFiles(__file__),
    doc="SEW: wav2vec 2.0's encoder whose layers see neighbouring positions as one.",
)
