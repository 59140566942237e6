"""DINOv2 with registers: tokens that the layers write to (Darcet et al., 2023, arXiv:2309.16588)."""

from __future__ import annotations

from typing import ClassVar

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_vision.vits.dinov2 import Dinov2Config, family

CLASSES = tuple(f"Dinov2WithRegisters{end}" for end in ("Model", "ForImageClassification", "Backbone"))


@frozen(kw_only=True)
class Dinov2WithRegistersConfig(Dinov2Config):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "dinov2_with_registers"

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    patch_size: tuple[Dim, Dim] = fields.sides(16)
    num_register_tokens: Dim = fields.size(4, minimum=0)
    use_mask_token: bool = fields.always(True)

    @property
    def registers(self) -> Dim | None:
        return self.num_register_tokens


ARCHITECTURE = family(
    "dinov2_with_registers",
    Dinov2WithRegistersConfig,
    PresetFiles(__file__),
    "DINOv2 with tokens between the class token and the patches that the layers write to.",
)
