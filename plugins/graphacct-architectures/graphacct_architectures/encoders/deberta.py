"""DeBERTa: BERT's layers with disentangled attention; one projection makes queries, keys and values.

He et al., 2020 (arXiv:2006.03654).
"""

from __future__ import annotations

from graphacct import PresetFiles, fields, frozen
from graphacct_architectures.encoders.deberta_v2 import DebertaConfig, heads_width, like_deberta
from graphacct_architectures.encoders.parts.description import Disentangled, Encoder
from graphacct_architectures.encoders.parts.disentangled import stream
from graphacct_architectures.encoders.parts.family import encoder

MODEL, MASKED = "DebertaModel", "DebertaForMaskedLM"
SEQUENCE, TOKENS = "DebertaForSequenceClassification", "DebertaForTokenClassification"
SPANS = "DebertaForQuestionAnswering"


@frozen(kw_only=True)
class DebertaV1Config(DebertaConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, MASKED, SEQUENCE, TOKENS, SPANS))
    talking_head: bool = fields.flag(False)


def describe(config: DebertaV1Config) -> Encoder:
    """Returns the encoder alone, or with its class's head."""
    attention = Disentangled(
        heads_width(config),
        config.pos_att_type,
        config.farthest,
        near=True,
        joint="in_proj",
        key="pos_proj",
        query="pos_q_proj",
        key_bias=False,
        table="rel_embeddings" if config.relative_attention else "",
        talking=config.talking_head,
    )
    return like_deberta(config, attention, "Deberta")


ARCHITECTURE = encoder(
    "deberta",
    DebertaV1Config,
    describe,
    PresetFiles(__file__),
    doc="DeBERTa: BERT's layers with scores of distances, alone or with the head of a class.",
    streamed=stream,
)
