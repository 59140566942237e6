"""SAM 3's files of videos, read as its tracker on single images (Carion et al., 2025, arXiv:2511.16719)."""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_vision.sam.sam2 import build, family
from graphacct_vision.sam.sam3_tracker import InnerVision, Sam3TrackerConfig, TrackerPrompt
from graphacct_vision.sam.sam3_vision import maps_of
from graphacct_vision.sam.sam_video import MEMORY, TRACKING, of_single_images


@frozen(kw_only=True)
class InnerTracker(Sam3TrackerConfig):
    """The tracker's keys inside the file."""

    model_type: str = fields.choice("sam3_tracker_video", ("sam3_tracker_video", ""))
    architectures: Any = attrs.field(default=None)
    image_size: int = fields.size(1008)

    @property
    def vision(self) -> InnerVision:  # type: ignore[override]
        """The image encoder, for images of the tracker's size whatever its own keys say."""
        own, side = super().vision, self.image_size
        patches = [factor * side // own.vit.patch_size for factor in (4, 2, 1)]
        vit = attrs.evolve(own.vit, image_size=(side, side))
        return attrs.evolve(own, backbone_config=vit, backbone_feature_sizes=tuple((one, one) for one in patches))

    @property
    def prompt(self) -> TrackerPrompt:
        """The prompt encoder, for images of that size too."""
        return attrs.evolve(super().prompt, image_size=self.image_size)


@frozen(kw_only=True)
class Sam3VideoConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = of_single_images("Sam3TrackerModel", "Sam3VideoModel")
    tracker_config: InnerTracker | None = fields.nested(InnerTracker, "SAM 3")
    dtype: str | None = fields.dtype()

    @property
    def tracker(self) -> InnerTracker:
        """The tracker."""
        return self.tracker_config or InnerTracker()


def found(config: Sam3VideoConfig, workload: Workload, b: Builder, encode: Any) -> tuple[Value, ...]:
    """Returns the tracker's graph."""
    return build(config.tracker, workload, b, encode)


def image(config: Sam3VideoConfig) -> tuple[Dim, Dim]:
    """Returns the image's sides."""
    return config.tracker.vision.vit.image_size


ARCHITECTURE = family(
    "sam3_video",
    Sam3VideoConfig,
    PresetFiles(__file__),
    "SAM 3's files of videos, read as its tracker on single images.",
    maps_of,
    image,
    (*MEMORY, *TRACKING),
    found,
)
