"""Prompt Depth Anything: Depth Anything, whose fused maps a coarse depth may be added to (Lin et al., 2024,
arXiv:2412.14015)."""

from __future__ import annotations

from typing import ClassVar

from graphacct import PresetFiles, fields, frozen
from graphacct_vision.dense.depth_anything import DepthAnythingConfig, family

CLASSES = ("PromptDepthAnythingForDepthEstimation",)


@frozen(kw_only=True)
class PromptDepthAnythingConfig(DepthAnythingConfig):
    """The keys of the published config.json that the cost depends on. No coarse depth is given."""

    PROMPTED: ClassVar[bool] = True

    architectures: str = fields.model_class(CLASSES[0], CLASSES)


ARCHITECTURE = family(
    "prompt_depth_anything",
    PromptDepthAnythingConfig,
    PresetFiles(__file__),
    "Prompt Depth Anything: Depth Anything with layers for a coarse depth, of images without one.",
)
