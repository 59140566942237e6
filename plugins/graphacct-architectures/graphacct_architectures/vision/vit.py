"""ViT: patches of an image as tokens, a class token in front, learned positions.

Dosovitskiy et al., 2020 (arXiv:2010.11929).
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import PresetFiles, fields, frozen
from graphacct_architectures.vision.patched import Patched, family

CLASSES = ("ViTModel", "ViTForImageClassification", "ViTForMaskedImageModeling")


@frozen(kw_only=True)
class ViTConfig(Patched):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "vit"

    architectures: str = fields.model_class(CLASSES[0], CLASSES)


ARCHITECTURE = family(
    "vit",
    ViTConfig,
    PresetFiles(__file__),
    "ViT: patches as tokens, learned positions, LayerNorm first; pooled or with the head of a class.",
)
