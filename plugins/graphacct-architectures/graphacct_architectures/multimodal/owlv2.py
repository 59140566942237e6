"""OWLv2: OWL-ViT with a score for whether a patch is any object (Minderer et al., 2023, arXiv:2306.09683)."""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.multimodal.clip import VisionConfig
from graphacct_architectures.multimodal.owlvit import BOTH, DETECTION, OwlVisionConfig, OwlViTConfig, family


@frozen(kw_only=True)
class Owlv2VisionConfig(OwlVisionConfig):
    """The image tower's keys that the cost depends on."""

    patch_size: tuple[Dim, Dim] = fields.sides(16)


@frozen(kw_only=True)
class Owlv2Config(OwlViTConfig):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "owlv2"
    OBJECTNESS: ClassVar[bool] = True

    architectures: str = fields.model_class(f"Owlv2{BOTH}", (f"Owlv2{BOTH}", f"Owlv2{DETECTION}"))
    vision_config: Owlv2VisionConfig | None = fields.nested(Owlv2VisionConfig, "OWLv2")

    @property
    def vision(self) -> VisionConfig:
        """The image tower."""
        return self.vision_config or Owlv2VisionConfig()


ARCHITECTURE = family(
    "owlv2",
    Owlv2Config,
    PresetFiles(__file__),
    "OWLv2: OWL-ViT with a score for whether a patch is any object.",
)
