"""ConvNeXt V2: ConvNeXt with global response normalization (Woo et al., 2023, arXiv:2301.00808)."""

from __future__ import annotations

from typing import ClassVar

from graphacct import PresetFiles, fields, frozen
from graphacct_vision.convnets.convnext import ConvNextConfig, family

CLASSES = ("ConvNextV2Model", "ConvNextV2ForImageClassification", "ConvNextV2Backbone")


@frozen(kw_only=True)
class ConvNextV2Config(ConvNextConfig):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "convnextv2"
    RESPONSES: ClassVar[bool] = True

    architectures: str = fields.model_class(CLASSES[0], CLASSES)


ARCHITECTURE = family(
    "convnextv2",
    ConvNextV2Config,
    PresetFiles(__file__),
    "ConvNeXt V2: ConvNeXt whose wide layers are followed by global response normalization.",
)
