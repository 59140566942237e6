"""The tower of Qianfan-OCR: InternVL's, whose branches are dropped in training.

Baidu Qianfan Team, 2026 (Qianfan-OCR).
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from graphacct import PresetFiles, fields, frozen
from graphacct_architectures.multimodal.internvl_vision import ARCHITECTURE as INTERNVL
from graphacct_architectures.multimodal.internvl_vision import InternVLVisionConfig

VISION = "QianfanOCRVisionModel"


@frozen(kw_only=True)
class QianfanOCRVisionConfig(InternVLVisionConfig):
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    attention_bias: bool = fields.flag(True)
    drop_path_rate: float = fields.probability(0.1)
    module: ClassVar[str] = ""
    stack: ClassVar[str] = "layers"

    @property
    def dropped_layers(self) -> float:
        """The probability with which the last layer's branches are dropped whole, in training."""
        return self.drop_path_rate


ARCHITECTURE = attrs.evolve(
    INTERNVL,
    name="qianfan_ocr_vision",
    config=QianfanOCRVisionConfig,
    presets=PresetFiles(__file__),
    model_types=("qianfan_ocr_vision",),
    doc="Qianfan-OCR's tower alone: a ViT with a scale of each part's output.",
)
