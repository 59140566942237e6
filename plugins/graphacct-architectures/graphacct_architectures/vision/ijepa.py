"""I-JEPA: ViT without a class token (Assran et al., 2023, arXiv:2301.08243)."""

from __future__ import annotations

from typing import ClassVar

from graphacct import PresetFiles, fields, frozen
from graphacct_architectures.vision.patched import Patched, family

CLASSES = ("IJepaModel", "IJepaForImageClassification")


@frozen(kw_only=True)
class IJepaConfig(Patched):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "ijepa"
    TOKENS: ClassVar[tuple[str, ...]] = ()
    POOLED: ClassVar[bool] = False
    MEAN: ClassVar[bool] = True

    architectures: str = fields.model_class(CLASSES[0], CLASSES)


ARCHITECTURE = family(
    "ijepa",
    IJepaConfig,
    PresetFiles(__file__),
    "I-JEPA: ViT without a class token; its classifier reads the mean of the patches.",
)
