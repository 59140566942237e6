"""LUKE: RoBERTa's layers, with embeddings and queries of its own for entities.

Yamada et al., 2020 (arXiv:2010.01057). A text is read without entities, as by the class where none are given: what
reads them is in memory.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from graphacct import Builder, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import encoder, of_pooled
from graphacct_architectures.encoders.parts.layer import attention
from graphacct_architectures.encoders.roberta import CAUSAL, CLASSES, SEQUENCE, RobertaConfig, of_class
from graphacct_architectures.layers import resident

ROBERTAS = {f"Luke{name.removeprefix('Roberta')}": name for name in CLASSES if name != CAUSAL}
"""RoBERTa's class for each of LUKE's."""
MASKED = "LukeForMaskedLM"


@frozen(kw_only=True)
class LukeConfig(RobertaConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("LukeModel", tuple(ROBERTAS))
    vocab_size: Dim = fields.size(50267)
    entity_vocab_size: Dim = fields.size(500000)
    entity_emb_size: Dim = fields.size(256)
    use_entity_aware_attention: bool = fields.flag(True)
    prefix: ClassVar[str] = "luke"


def describe(config: LukeConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's head."""
    name = ROBERTAS[config.architectures]
    found = of_class(config, name)
    rest: dict[str, Any] = {}
    if name == SEQUENCE:
        rest = {"classifier": of_pooled(config, config.num_labels), "pooled": True}
    elif found.head is not None:  # the words' projection is its own, whatever the key says
        rest = {"pooled": True, "head": attrs.evolve(found.head, tied=False, bias_tied=config.tie_word_embeddings)}
    return attrs.evolve(found, causal=False, crossed=False, written_out=True, **rest)


def stream(config: LukeConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output."""
    x = embedded(e, workload, b)
    wide, width = config.entity_emb_size, config.hidden_size
    with b.scope("entity_embeddings"):
        table(b, "entity_embeddings", config.entity_vocab_size, wide)
        if not equal(wide, width):
            resident(b, "entity_embedding_dense", b.parameter("entity_embedding_dense.weight", (width, wide)))
        table(b, "position_embeddings", config.max_position_embeddings, width)
        table(b, "token_type_embeddings", config.type_vocab_size, width)
        norm = b.parameter("LayerNorm.weight", (width,))
        resident(b, "LayerNorm", norm, b.parameter("LayerNorm.bias", (width,)))
    b.hold(x)

    def attend(e: Encoder, workload: Workload, b: Builder, x: Value) -> tuple[Value, tuple[Value, ...]]:
        if config.use_entity_aware_attention:
            with b.scope(e.names.attention):
                for name in ("w2e_query", "e2w_query", "e2e_query"):
                    weight = b.parameter(f"{name}.weight", (e.width, e.width))
                    resident(b, name, weight, b.parameter(f"{name}.bias", (e.width,)))
        return attention(e, workload, b, x)

    return through(e, workload, b, x, attend=attend)


def table(b: Builder, name: str, count: Dim, width: Dim) -> None:
    """Adds a table that no text without entities reads."""
    resident(b, name, b.parameter(f"{name}.weight", (count, width)), lookup=True)


def finished(config: LukeConfig, workload: Workload, b: Builder, x: Value, pooled: Value | None) -> tuple[Value, ...]:
    """Adds the head of entities to the class that predicts words, whose own head makes the logits."""
    if config.architectures != MASKED:
        return ()
    wide, width = config.entity_emb_size, config.hidden_size
    own = f"{config.prefix}.entity_embeddings.entity_embeddings.weight" if config.tie_word_embeddings else ""
    with b.scope("entity_predictions"):
        dense, norm = (
            b.parameter("transform.dense.weight", (wide, width)),
            b.parameter("transform.LayerNorm.weight", (wide,)),
        )
        resident(b, "transform.dense", dense, b.parameter("transform.dense.bias", (wide,)))
        resident(b, "transform.LayerNorm", norm, b.parameter("transform.LayerNorm.bias", (wide,)))
        resident(b, "decoder", b.parameter("decoder.weight", (config.entity_vocab_size, wide), tied_to=own))
        resident(b, "bias", b.parameter("bias", (config.entity_vocab_size,)))
    return ()


ARCHITECTURE = encoder(
    "luke",
    LukeConfig,
    describe,
    PresetFiles(__file__),
    doc="LUKE: RoBERTa's layers with parts for entities, alone or with the head of a class.",
    configured=stream,
    finished=finished,
    no_cost=dict.fromkeys(("bert_model_name", "cls_entity_prediction")),
)
