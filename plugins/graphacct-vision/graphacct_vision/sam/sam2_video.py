"""SAM 2's files of videos, read as its model of single images (Ravi et al., 2024, arXiv:2408.00714)."""

from __future__ import annotations

from graphacct import PresetFiles, frozen
from graphacct_vision.sam.sam2 import Sam2Config, family
from graphacct_vision.sam.sam2_vision import encoded
from graphacct_vision.sam.sam_video import MEMORY, of_single_images


@frozen(kw_only=True)
class Sam2VideoConfig(Sam2Config):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = of_single_images("Sam2Model", "Sam2VideoModel")


ARCHITECTURE = family(
    "sam2_video",
    Sam2VideoConfig,
    PresetFiles(__file__),
    "SAM 2's files of videos, read as its model of single images.",
    encoded,
    lambda config: config.vision.hiera.image_size,
    (*MEMORY, "image_size"),
)
