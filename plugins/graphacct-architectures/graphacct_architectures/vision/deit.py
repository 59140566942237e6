"""DeiT: ViT with a second token, which learns from a teacher (Touvron et al., 2020, arXiv:2012.12877)."""

from __future__ import annotations

from typing import ClassVar

from graphacct import PresetFiles, fields, frozen
from graphacct_architectures.vision.patched import Patched, family

CLASSES = (
    "DeiTModel",
    "DeiTForImageClassification",
    "DeiTForImageClassificationWithTeacher",
    "DeiTForMaskedImageModeling",
)


@frozen(kw_only=True)
class DeiTConfig(Patched):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "deit"
    TOKENS: ClassVar[tuple[str, ...]] = ("cls_token", "distillation_token")

    architectures: str = fields.model_class(CLASSES[0], CLASSES)


ARCHITECTURE = family(
    "deit",
    DeiTConfig,
    PresetFiles(__file__),
    "DeiT: ViT with a token that learns from a teacher, and a classifier of one token or of both.",
)
