"""ERNIE: BERT's layers, and in newer models a table of tasks.

Sun et al., 2019 (arXiv:1904.09223) and 2021 (arXiv:2107.02137).
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.encoders.bert import CAUSAL, CLASSES, BertConfig, of_class
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.family import encoder

LANGUAGE_MODEL = "ErnieForCausalLM"
BERTS = {f"Ernie{name.removeprefix('Bert')}": name for name in CLASSES if name != CAUSAL} | {LANGUAGE_MODEL: CAUSAL}
"""BERT's class for each of ERNIE's."""


@frozen(kw_only=True)
class ErnieConfig(BertConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("ErnieModel", tuple(BERTS))
    use_task_id: bool = fields.flag(False)
    task_type_vocab_size: Dim = fields.size(3)
    prefix: ClassVar[str] = "ernie"


def describe(config: ErnieConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's heads."""
    tasks = config.task_type_vocab_size if config.use_task_id else 0
    return attrs.evolve(of_class(config, BERTS[config.architectures]), tasks=tasks)


ARCHITECTURE = encoder(
    "ernie",
    ErnieConfig,
    describe,
    PresetFiles(__file__),
    doc="ERNIE: BERT's layers with a table of tasks, alone or with the head of a class.",
    language_model=LANGUAGE_MODEL,
)
