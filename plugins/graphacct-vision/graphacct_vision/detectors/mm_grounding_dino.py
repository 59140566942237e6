"""MM Grounding DINO: Grounding DINO whose comparisons have a bias (Zhao et al., 2024, arXiv:2401.02361)."""

from __future__ import annotations

from typing import ClassVar

from graphacct import PresetFiles, fields, frozen
from graphacct_vision.detectors.grounding_dino import ENDS, GroundingDinoConfig, family

CLASSES = tuple(f"MMGroundingDino{end}" for end in ENDS)


@frozen(kw_only=True)
class MMGroundingDinoConfig(GroundingDinoConfig):
    """The keys of the published config.json that the cost depends on."""

    BIASED: ClassVar[bool] = True

    architectures: str = fields.model_class(CLASSES[0], CLASSES)


ARCHITECTURE = family(
    "mm-grounding-dino",
    MMGroundingDinoConfig,
    PresetFiles(__file__),
    "MM Grounding DINO: Grounding DINO whose comparisons of queries with words have a bias.",
)
