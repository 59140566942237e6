"""VisualBERT: BERT, which reads vectors of an image's regions beside a text.

Li et al., 2019 (arXiv:1908.03557). The library's class writes attention out. A sequence is text alone here: what reads
the vectors is in memory.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.encoders.parts.encode import encode
from graphacct_architectures.encoders.parts.family import EncoderConfig, built, has_logits
from graphacct_architectures.encoders.parts.heads import POOLED
from graphacct_architectures.encoders.parts.layer import layer
from graphacct_architectures.layers import resident
from graphacct_architectures.residing import reside

MODEL, PRETRAINING = "VisualBertModel", "VisualBertForPreTraining"


@frozen(kw_only=True)
class VisualBertConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(PRETRAINING, (MODEL, PRETRAINING))
    visual_embedding_dim: Dim = fields.size(512)
    bypass_transformer: bool = fields.flag(False)
    is_decoder: bool = fields.always(False)
    add_cross_attention: bool = fields.always(False)


def describe(config: VisualBertConfig) -> Encoder:
    """Returns BERT's layers with a pooler, and the heads of pretraining."""
    if config.architectures == MODEL:
        return like_bert(config, "", pooled=True, written_out=True)
    head = Head(
        "cls.predictions.transform.dense",
        config.hidden_size,
        ACTIVATIONS[config.hidden_act],
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.decoder",
        config.vocab_size,
        tied=config.tie_word_embeddings,
        bias="cls.predictions.bias",
    )
    pairs = Classifier("cls.seq_relationship", 2, POOLED)
    return like_bert(config, "visual_bert", pooled=True, head=head, classifier=pairs, written_out=True)


def build(config: VisualBertConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from a text to the last layer's output and the pooled one, or to the heads' outputs."""
    e = describe(config)
    made = encode(e, workload, b)
    width = config.hidden_size
    with b.scope(e.module), b.scope("embeddings"):
        for name, rows in (
            ("visual_token_type_embeddings", config.type_vocab_size),
            ("visual_position_embeddings", config.max_position_embeddings),
        ):
            resident(b, name, b.parameter(f"{name}.weight", (rows, width)), lookup=True)
        weight = b.parameter("visual_projection.weight", (width, config.visual_embedding_dim))
        resident(b, "visual_projection", weight, b.parameter("visual_projection.bias", (width,)))
    if config.bypass_transformer:
        aside = Builder("bypass", b.operators, b.dtype)
        with aside.scope(e.module), aside.scope("additional_layer"):
            x = aside.input("bypassing", (1, 1, width))
            y = layer(e, attrs.evolve(workload, phase="forward"), aside, x)
        reside(b, aside.graph(y))
    return made


def scored_by(config: Any) -> bool:
    """Returns whether the class has logits."""
    return has_logits(describe(config))


ARCHITECTURE = built(
    "visual_bert",
    VisualBertConfig,
    build,
    PresetFiles(__file__),
    scored_by,
    lambda config: config.max_position_embeddings,
    doc="VisualBERT: BERT's layers over a text; what reads an image's regions is in memory.",
    no_cost={"special_visual_initialize": None},
)
