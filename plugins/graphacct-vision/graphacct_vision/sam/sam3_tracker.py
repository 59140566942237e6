"""SAM 3's tracker on single images: SAM 2's decoder of masks on SAM 3's encoder.

Carion et al., 2025 (arXiv:2511.16719).
"""

from __future__ import annotations

from graphacct import ConfigError, Dim, PresetFiles, fields, frozen
from graphacct_vision.sam.sam2 import LEVELS, Sam2Config, family
from graphacct_vision.sam.sam3_vision import Sam3VisionKeys, maps_of
from graphacct_vision.sam.sam_prompt import PromptConfig

CLASSES = ("Sam3TrackerModel",)


@frozen(kw_only=True)
class InnerVision(Sam3VisionKeys):
    """The image encoder's keys inside the whole model."""

    model_type: str = fields.choice("sam3_vision_model", ("sam3_vision_model", ""))


@frozen(kw_only=True)
class TrackerPrompt(PromptConfig):
    """The prompt encoder's keys, with this family's defaults."""

    image_size: Dim = fields.size(1008)
    patch_size: Dim = fields.size(14)


@frozen(kw_only=True)
class Sam3TrackerConfig(Sam2Config):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: InnerVision | None = fields.nested(InnerVision, "SAM 3")  # type: ignore[assignment]
    prompt_encoder_config: TrackerPrompt | None = fields.nested(TrackerPrompt, "SAM 3")

    @property
    def vision(self) -> InnerVision:  # type: ignore[override]
        """The image encoder."""
        return self.vision_config or InnerVision()

    @property
    def prompt(self) -> TrackerPrompt:
        """The prompt encoder."""
        return self.prompt_encoder_config or TrackerPrompt()

    def check_levels(self) -> None:
        """Raises ConfigError unless masks are drawn from three maps."""
        found = len(self.vision.factors), len(self.vision.backbone_feature_sizes or ())
        if min(found) != LEVELS:
            raise ConfigError(
                f"scale_factors makes {found[0]} maps, backbone_feature_sizes has {found[1]}: masks are drawn from the "
                f"first {LEVELS}"
            )


ARCHITECTURE = family(
    "sam3_tracker",
    Sam3TrackerConfig,
    PresetFiles(__file__),
    "SAM 3's tracker on single images: SAM 2's decoder of masks on SAM 3's encoder.",
    maps_of,
    lambda config: config.vision.vit.image_size,
)
