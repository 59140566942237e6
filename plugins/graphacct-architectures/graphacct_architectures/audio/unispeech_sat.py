"""UniSpeech-SAT: wav2vec 2.0's encoder, pre-trained to tell speakers apart.

Chen et al., 2021 (arXiv:2110.05752).
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from graphacct import Builder, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_architectures.audio.parts.description import Waves
from graphacct_architectures.audio.parts.family import HEADS, SpeakersConfig, known, like_wav2vec2, waves
from graphacct_architectures.layers import dropped, resident


@frozen(kw_only=True)
class UniSpeechSatConfig(SpeakersConfig):
    """The keys of the published config.json that the cost depends on."""

    MODULE: ClassVar[str] = "unispeech_sat"

    architectures: str = known("UniSpeechSat", HEADS)
    num_clusters: Dim = fields.size(504)
    adapter_attn_dim: Dim | None = fields.optional_size()


def describe(config: UniSpeechSatConfig) -> Waves:
    """Returns the encoder, which always has a vector for masked positions."""
    inner = config.adapter_attn_dim if config.do_stable_layer_norm else None
    return like_wav2vec2(config, masks=attrs.evolve(config.masks, stored=True), layer_adapter=inner)


def pretrained(config: UniSpeechSatConfig, workload: Workload, b: Builder, streams: Any) -> tuple[Value, ...]:
    """Returns the output in pre-training, the features: the class computes nothing else, and its quantiser and its
    projections are in memory, unread."""
    width, joint, codes = config.hidden_size, config.proj_codevector_dim, config.codes
    together = codes.groups * codes.count
    part = exact_div(codes.width, codes.groups, "codevector_dim / num_codevector_groups")
    matrices = {
        "quantizer.weight_proj": (together, width),
        "project_q": (joint, codes.width),
        "project_hid": (joint, width),
        "speaker_proj": (codes.width, width),
    }
    for name, shape in matrices.items():
        resident(b, name, b.parameter(f"{name}.weight", shape), b.parameter(f"{name}.bias", shape[:1]))
    resident(b, "quantizer.unread", b.parameter("quantizer.codevectors", (1, together, part)))
    resident(b, "labels_unread", b.parameter("label_embeddings_concat", (config.num_clusters, codes.width)))
    scales = [b.parameter(f"layer_norm_for_extract.{name}", (width,)) for name in ("weight", "bias")]
    resident(b, "layer_norm_for_extract", *scales)
    return (dropped(b, "dropout_features", streams.features, config.feat_quantizer_dropout, workload),)


ARCHITECTURE = waves(
    "unispeech-sat",
    UniSpeechSatConfig,
    describe,
    PresetFiles(__file__),
    doc="UniSpeech-SAT: wav2vec 2.0's encoder; alone or with the head of a class.",
    pretraining=pretrained,
    no_cost={"add_adapter": (False, None)},
)
