"""TIPSv2's image encoder: DINOv2 with registers, for larger images."""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_vision.vits.dinov2 import family
from graphacct_vision.vits.dinov2_with_registers import Dinov2WithRegistersConfig

CLASSES = ("Tipsv2VisionModel", "Tipsv2VisionBackbone")


@frozen(kw_only=True)
class Tipsv2VisionConfig(Dinov2WithRegistersConfig):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = ""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    image_size: tuple[Dim, Dim] = fields.sides(448)
    patch_size: tuple[Dim, Dim] = fields.sides(14)
    num_register_tokens: Dim = fields.size(1, minimum=0)


ARCHITECTURE = family(
    "tipsv2_vision_model",
    Tipsv2VisionConfig,
    PresetFiles(__file__),
    "TIPSv2's image encoder: DINOv2 with registers, for larger images.",
)
