"""MSN: ViT without a pooled output (Assran et al., 2022, arXiv:2204.07141)."""

from __future__ import annotations

from typing import ClassVar

from graphacct import PresetFiles, fields, frozen
from graphacct_architectures.vision.patched import Patched, family

CLASSES = ("ViTMSNModel", "ViTMSNForImageClassification")


@frozen(kw_only=True)
class ViTMSNConfig(Patched):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "vit"
    POOLED: ClassVar[bool] = False

    architectures: str = fields.model_class(CLASSES[0], CLASSES)


ARCHITECTURE = family(
    "vit_msn", ViTMSNConfig, PresetFiles(__file__), "MSN: ViT without a pooled output, under its own classes."
)
