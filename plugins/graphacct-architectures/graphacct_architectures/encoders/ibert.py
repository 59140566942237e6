"""I-BERT: RoBERTa's layers for integers. Without `quant_mode` all is computed as in RoBERTa.

Kim et al., 2021 (arXiv:2101.01321).
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from graphacct import ConfigError, Dim, PresetFiles, fields, frozen
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.family import encoder
from graphacct_architectures.encoders.roberta import CAUSAL, CLASSES, RobertaConfig, of_class

ROBERTAS = {f"IBert{name.removeprefix('Roberta')}": name for name in CLASSES if name != CAUSAL}
"""RoBERTa's class for each of I-BERT's."""


@frozen(kw_only=True)
class IBertConfig(RobertaConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("IBertModel", tuple(ROBERTAS))
    vocab_size: Dim = fields.size(30522)
    quant_mode: bool = fields.flag(False)
    prefix: ClassVar[str] = "ibert"

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.hidden_dropout_prob


def describe(config: IBertConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's head. Raises ConfigError for arithmetic of integers."""
    if config.quant_mode:
        raise ConfigError("quant_mode is True: arithmetic of integers is not modelled; add --set quant_mode=false")
    if config.hidden_act != "gelu":
        raise ConfigError(f"hidden_act is {config.hidden_act!r}: I-BERT's class has gelu alone")
    found = of_class(config, ROBERTAS[config.architectures])
    return attrs.evolve(found, causal=False, crossed=False, written_out=True, types_made=True)


ARCHITECTURE = encoder(
    "ibert",
    IBertConfig,
    describe,
    PresetFiles(__file__),
    doc="I-BERT: RoBERTa's layers for integers, alone or with the head of a class.",
    no_cost={"force_dequant": None},
)
