"""SAM-HQ's image encoder, which is SAM's (Ke et al., 2023, arXiv:2306.01567)."""

from __future__ import annotations

import attrs

from graphacct import PresetFiles, fields, frozen
from graphacct_vision.sam import sam_vision

CLASSES = ("SamHQVisionModel",)


@frozen(kw_only=True)
class SamHQVisionConfig(sam_vision.SamVisionConfig):
    """The keys of the image encoder alone, and its class."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)


ARCHITECTURE = attrs.evolve(
    sam_vision.ARCHITECTURE,
    name="sam_hq_vision_model",
    config=SamHQVisionConfig,
    presets=PresetFiles(__file__),
    model_types=("sam_hq_vision_model",),
    doc="SAM-HQ's image encoder, which is SAM's: a ViT of windows.",
)
