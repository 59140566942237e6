"""LayoutLM: BERT with tables for each token's box on a page.

Xu et al., 2019 (arXiv:1912.13318).
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.encoders.bert import MASKED, MODEL, SEQUENCE, SPANS, TOKENS, BertConfig, of_class
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.family import encoder

BERTS = {f"LayoutLM{name.removeprefix('Bert')}": name for name in (MODEL, MASKED, SEQUENCE, TOKENS, SPANS)}
"""BERT's class for each of LayoutLM's."""


@frozen(kw_only=True)
class LayoutLMConfig(BertConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("LayoutLMModel", tuple(BERTS))
    max_2d_position_embeddings: Dim = fields.size(1024)
    prefix: ClassVar[str] = "layoutlm"

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.hidden_dropout_prob


def describe(config: LayoutLMConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's head."""
    found = of_class(config, BERTS[config.architectures])
    boxes = config.max_2d_position_embeddings
    return attrs.evolve(found, boxes=boxes, causal=False, crossed=False, pooled=True, types_made=True)


ARCHITECTURE = encoder(
    "layoutlm",
    LayoutLMConfig,
    describe,
    PresetFiles(__file__),
    doc="LayoutLM: BERT with tables for boxes on a page, alone or with the head of a class.",
)
