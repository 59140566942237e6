"""RoCBert: BERT with tables of how Chinese characters sound and look.

Su et al., 2022 (doi:10.18653/v1/2022.acl-long.65).
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import attrs

from graphacct import Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.encoders.bert import CAUSAL, CLASSES, NEXT, PRETRAINING, BertConfig, of_class
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import encoder
from graphacct_architectures.layers import linear, resident

LANGUAGE_MODEL = "RoCBertForCausalLM"
BERTS = {f"RoC{name}": name for name in CLASSES if name not in (CAUSAL, NEXT)} | {LANGUAGE_MODEL: CAUSAL}
"""BERT's class for each of RoCBert's."""


@frozen(kw_only=True)
class RoCBertConfig(BertConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("RoCBertModel", tuple(BERTS))
    enable_pronunciation: bool = fields.flag(True)
    enable_shape: bool = fields.flag(True)
    pronunciation_embed_dim: Dim = fields.size(768)
    pronunciation_vocab_size: Dim = fields.size(910)
    shape_embed_dim: Dim = fields.size(512)
    shape_vocab_size: Dim = fields.size(24858)
    concat_input: bool = fields.flag(True)
    prefix: ClassVar[str] = "roc_bert"


def describe(config: RoCBertConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's heads. The class for pretraining predicts words, and
    also pools."""
    name = BERTS[config.architectures]
    found = of_class(config, name)
    return attrs.evolve(found, classifier=None) if name == PRETRAINING else found


def stream(config: RoCBertConfig, e: Encoder, workload: Workload, b: Builder, states: Value | None = None) -> Value:
    """Returns the last layer's output."""
    x = embedded(e, workload, b, entering=partial(with_looks, config, workload))
    b.hold(x)
    return through(e, workload, b, x, states=states)


def with_looks(config: RoCBertConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns tokens' rows joined with those of how they look and sound, and projected to the stream's width. A model
    that adds them instead reads them only if it is given them, which no text alone has."""
    parts = [b.apply("clone", x, name="words_copied")]
    for name, count, width, on in (
        ("shape", config.shape_vocab_size, config.shape_embed_dim, config.enable_shape),
        ("pronunciation", config.pronunciation_vocab_size, config.pronunciation_embed_dim, config.enable_pronunciation),
    ):
        table = b.parameter(f"{name}_embed.weight", (count, width))
        if not (on and config.concat_input):
            resident(b, f"{name}_embed", table, lookup=True)
            continue
        ids = b.apply("full", name=f"input_{name}_ids", shape=(workload.batch, workload.seq_len), dtype="int64")
        parts.append(b.apply("embedding", ids, table, name=f"{name}_embed"))
    if not config.concat_input:
        return x
    joined = b.apply("concat", *parts, name="joined", dim=-1) if len(parts) > 1 else parts[0]
    return linear(b, "map_inputs_layer", joined, config.hidden_size)


ARCHITECTURE = encoder(
    "roc_bert",
    RoCBertConfig,
    describe,
    PresetFiles(__file__),
    doc="RoCBert: BERT with tables of sounds and shapes, alone or with the head of a class.",
    configured=stream,
    language_model=LANGUAGE_MODEL,
)
