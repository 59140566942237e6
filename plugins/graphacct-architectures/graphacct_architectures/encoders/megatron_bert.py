"""Megatron-BERT: BERT's layers with norms first and a norm after the last.

Shoeybi et al., 2019 (arXiv:1909.08053).
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.encoders.bert import CAUSAL, CLASSES, BertConfig, of_class
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.family import encoder

LANGUAGE_MODEL = "MegatronBertForCausalLM"
BERTS = {f"Megatron{name}": name for name in CLASSES if name != CAUSAL} | {LANGUAGE_MODEL: CAUSAL}
"""BERT's class for each of Megatron-BERT's."""


@frozen(kw_only=True)
class MegatronBertConfig(BertConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("MegatronBertModel", tuple(BERTS))
    vocab_size: Dim = fields.size(29056)
    hidden_size: Dim = fields.size(1024)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(16)
    intermediate_size: Dim = fields.size(4096)
    norms_first: ClassVar[bool] = True

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.hidden_dropout_prob


def describe(config: MegatronBertConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's heads."""
    return attrs.evolve(of_class(config, BERTS[config.architectures]), written_out=True, types_made=True)


ARCHITECTURE = encoder(
    "megatron-bert",
    MegatronBertConfig,
    describe,
    PresetFiles(__file__),
    doc="Megatron-BERT: BERT's layers with norms first, alone or with the head of a class.",
    language_model=LANGUAGE_MODEL,
)
