"""HuBERT: wav2vec 2.0's encoder, trained to predict clusters.

Hsu et al., 2021 (arXiv:2106.07447).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.audio.parts.description import Convolved, Waves
from graphacct_architectures.audio.parts.family import LETTERS, SEQUENCE, WavesConfig, known, like_wav2vec2, waves


@frozen(kw_only=True)
class HubertConfig(WavesConfig):
    """The keys of the published config.json that the cost depends on."""

    MODULE: ClassVar[str] = "hubert"

    architectures: str = known("Hubert", (LETTERS, SEQUENCE))
    feat_proj_layer_norm: bool = fields.flag(True)
    conv_pos_batch_norm: bool = fields.flag(False)
    adapter_attn_dim: Dim | None = fields.optional_size()


def describe(config: HubertConfig) -> Waves:
    """Returns the encoder; a batch norm before the convolution of positions stands in for its weight's norm."""
    normed = config.conv_pos_batch_norm
    positions = Convolved(
        config.num_conv_pos_embeddings,
        config.num_conv_pos_embedding_groups,
        ACTIVATIONS[config.feat_extract_activation],
        weight_norm=not normed,
        batch_norm=normed,
    )
    return like_wav2vec2(
        config,
        positions=positions,
        features_norm=config.feat_proj_layer_norm,
        layer_adapter=config.adapter_attn_dim if config.do_stable_layer_norm else None,
    )


ARCHITECTURE = waves(
    "hubert",
    HubertConfig,
    describe,
    PresetFiles(__file__),
    doc="HuBERT: wav2vec 2.0's encoder; alone or with the head of a class.",
    no_cost={"add_adapter": (False, None)},
)
