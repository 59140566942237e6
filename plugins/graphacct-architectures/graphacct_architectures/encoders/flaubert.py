"""FlauBERT: XLM's layers, with norms first where a file says so.

Le et al., 2019 (arXiv:1912.05372). The library's class cannot run with norms first: its cache is read by a layer's
index. That layerdrop leaves layers out by chance in training is not counted.
"""

from __future__ import annotations

import attrs

from graphacct import PresetFiles, fields, frozen
from graphacct_architectures.encoders.parts.family import built
from graphacct_architectures.encoders.xlm import (
    ALIASES,
    CLASSES,
    MODEL,
    NO_COST,
    STEM,
    XLMConfig,
    build,
    has_logits,
    loss,
)
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, total

NAMES = {name.replace(STEM, "Flaubert", 1): name for name in CLASSES}
"""XLM's class for each of FlauBERT's."""


@frozen(kw_only=True)
class FlaubertConfig(XLMConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, CLASSES, NAMES)
    pre_norm: bool = fields.flag(False)

    @property
    def norms_first(self) -> bool:
        """Whether a part's norm is before its module."""
        return self.pre_norm


BASE = built(
    "flaubert",
    FlaubertConfig,
    build,
    PresetFiles(__file__),
    has_logits,
    lambda config: config.max_position_embeddings,
    doc="FlauBERT: XLM's layers for French, alone or with the head of a class.",
    aliases=ALIASES,
    no_cost={**NO_COST, "layerdrop": None},
)
ARCHITECTURE = attrs.evolve(BASE, losses={CROSS_ENTROPY: loss, SUM: total}, attention=("eager",))
