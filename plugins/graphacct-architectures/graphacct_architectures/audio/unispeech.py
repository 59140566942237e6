"""UniSpeech: wav2vec 2.0's encoder, pre-trained with labels too.

Wang et al., 2021 (arXiv:2101.07597).
"""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct import Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.audio.parts.description import Waves
from graphacct_architectures.audio.parts.family import (
    LETTERS,
    PRETRAINING,
    SEQUENCE,
    QuantisedConfig,
    known,
    like_wav2vec2,
    waves,
)
from graphacct_architectures.audio.parts.heads import quantised
from graphacct_architectures.layers import dropped, linear


@frozen(kw_only=True)
class UniSpeechConfig(QuantisedConfig):
    """The keys of the published config.json that the cost depends on."""

    MODULE: ClassVar[str] = "unispeech"

    architectures: str = known("UniSpeech", (LETTERS, SEQUENCE, PRETRAINING))
    num_ctc_classes: Dim = fields.size(80)
    adapter_attn_dim: Dim | None = fields.optional_size()


def describe(config: UniSpeechConfig) -> Waves:
    """Returns the encoder; only layers with their norms first have adapters of their own."""
    return like_wav2vec2(config, layer_adapter=config.adapter_attn_dim if config.do_stable_layer_norm else None)


def pretrained(config: UniSpeechConfig, workload: Workload, b: Builder, streams: Any) -> tuple[Value, ...]:
    """Returns the outputs in pre-training: the stream, and the vectors that stand for features. Units are predicted
    from either, drawn at each position, and are no output."""
    features = dropped(b, "dropout_features", streams.features, config.feat_quantizer_dropout, workload)
    vectors, _ = quantised(config.codes, features, workload, b)
    vectors = linear(b, "project_hid", linear(b, "project_q", vectors, config.proj_codevector_dim), config.hidden_size)
    batch, seq, _ = streams.last.spec.shape
    chance = b.apply("full", name="replace_prob", shape=(batch, seq, 1))
    drawn = b.apply("cast", b.apply("bernoulli", chance, name="replaced_drawn"), name="replaced", dtype="bool")
    kept = b.apply("masked_fill", streams.last, drawn, name="stream_kept")
    taken = b.apply("masked_fill", vectors, b.apply("logical_not", drawn, name="not_replaced"), name="vectors_taken")
    units = dropped(b, "dropout", b.apply("add", kept, taken, name="mixed"), config.final_dropout, workload)
    linear(b, "ctc_proj", units, config.num_ctc_classes)
    return streams.last, vectors


ARCHITECTURE = waves(
    "unispeech",
    UniSpeechConfig,
    describe,
    PresetFiles(__file__),
    doc="UniSpeech: wav2vec 2.0's encoder; alone or with the head of a class.",
    pretraining=pretrained,
    no_cost={"add_adapter": (False, None)},
)
