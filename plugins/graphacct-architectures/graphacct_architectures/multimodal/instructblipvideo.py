"""InstructBLIP for films: the queries of each frame see the words of an instruction.

Dai et al., 2023 (arXiv:2305.06500).
"""

from __future__ import annotations

from graphacct import PresetFiles, fields, frozen
from graphacct_architectures.multimodal.blip2 import with_pairs
from graphacct_architectures.multimodal.instructblip import NO_COST, InstructBlipConfig, compose
from graphacct_architectures.multimodal.parts.family import composition

CLASSES = ("InstructBlipVideoForConditionalGeneration", "InstructBlipVideoModel")
FRAMES = 4
"""Frames of a film, as the published model takes them."""


@frozen(kw_only=True)
class InstructBlipVideoConfig(InstructBlipConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)


ARCHITECTURE = with_pairs(
    composition(
        "instructblipvideo",
        InstructBlipVideoConfig,
        compose,
        PresetFiles(__file__),
        classes=CLASSES,
        image_size=lambda config: config.vision_config.config.image_size,
        sizes={"frames": lambda config: FRAMES},
        no_cost={**NO_COST, "video_token_index": None},
        doc="InstructBLIP for films: a ViT on each frame, queries that see an instruction, any decoder or T5.",
    )
)
