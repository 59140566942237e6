"""DPR: BERT as an encoder of questions or passages, read at the first token, or as a reader of passages.

Karpukhin et al., 2020 (arXiv:2004.04906).
"""

from __future__ import annotations

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_architectures.classifier import Classifier, classified
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.encode import stream
from graphacct_architectures.encoders.parts.family import EncoderConfig, built
from graphacct_architectures.layers import linear

QUESTION, CONTEXT, READER = "DPRQuestionEncoder", "DPRContextEncoder", "DPRReader"
PLACES = {QUESTION: "question_encoder", CONTEXT: "ctx_encoder", READER: "span_predictor.encoder"}
"""The encoder's module in each class."""


@frozen(kw_only=True)
class DPRConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(QUESTION, tuple(PLACES))
    projection_dim: Dim = fields.size(0, minimum=0)

    def __attrs_post_init__(self) -> None:
        if self.architectures == READER and not equal(self.projection_dim, 0):
            raise ConfigError(f"projection_dim is {self.projection_dim}, and {READER}'s heads read tokens as they are")


def build(config: DPRConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from token ids to an embedding of each text; or to the starts and ends of answers, and how
    relevant each passage is."""
    name, projected = config.architectures, not equal(config.projection_dim, 0)
    with b.scope(PLACES[name]):
        with b.scope("bert_model"):
            x = stream(attrs.evolve(like_bert(config, ""), types_made=name != READER), workload, b)
        first = b.apply("select", x, name="first", dim=1)
        if projected:
            first = linear(b, "encode_proj", first, config.projection_dim)
    if name != READER:
        return first
    with b.scope("span_predictor"):
        spans = classified(Classifier("qa_outputs", 2, spans=True), workload, b, x)
        own = b.apply("select", x, name="first_token", dim=1)
        scores = linear(b, "qa_classifier", own, 1)
        return (*spans, b.apply("reshape", scores, name="relevance_logits", shape=(workload.batch,)))


ARCHITECTURE = built(
    "dpr",
    DPRConfig,
    build,
    PresetFiles(__file__),
    lambda config: False,
    lambda config: config.max_position_embeddings,
    doc="DPR: BERT as an encoder of questions or passages, or as a reader.",
)
