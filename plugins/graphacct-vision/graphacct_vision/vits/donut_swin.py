"""Donut's encoder: Swin without a norm of its last tokens (Kim et al., 2021, arXiv:2111.15664)."""

from __future__ import annotations

from typing import ClassVar

from graphacct import PresetFiles, fields, frozen
from graphacct_vision.vits.swin import family
from graphacct_vision.vits.swin_older import OlderSwinConfig

CLASSES = ("DonutSwinModel", "DonutSwinForImageClassification")


@frozen(kw_only=True)
class DonutSwinConfig(OlderSwinConfig):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "donut"
    NORMED: ClassVar[bool] = False

    architectures: str = fields.model_class(CLASSES[0], CLASSES)


ARCHITECTURE = family(
    "donut-swin", DonutSwinConfig, PresetFiles(__file__), "Donut's encoder: Swin without a norm of its last tokens."
)
