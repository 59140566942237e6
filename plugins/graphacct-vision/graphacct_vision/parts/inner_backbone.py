"""A backbone of any family inside another model: its `…Backbone` class, given the outer model's pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphacct import Builder, DeclinedError, SubModel, Value, Workload, fields

CLASSES: Mapping[str, str] = {
    "beit": "BeitBackbone",
    "bit": "BitBackbone",
    "convnext": "ConvNextBackbone",
    "convnextv2": "ConvNextV2Backbone",
    "dinov2": "Dinov2Backbone",
    "dinov2_with_registers": "Dinov2WithRegistersBackbone",
    "dinov3_convnext": "DINOv3ConvNextBackbone",
    "dinov3_vit": "DINOv3ViTBackbone",
    "hgnet_v2": "HGNetV2Backbone",
    "lw_detr_vit": "LwDetrViTBackbone",
    "maskformer-swin": "MaskFormerSwinBackbone",
    "pixio": "PixioBackbone",
    "pp_lcnet": "PPLCNetBackbone",
    "pp_lcnet_v3": "PPLCNetV3Backbone",
    "pp_lcnet_v4": "PPLCNetV4Backbone",
    "pvt_v2": "PvtV2Backbone",
    "resnet": "ResNetBackbone",
    "rt_detr_resnet": "RTDetrResNetBackbone",
    "swin": "SwinBackbone",
    "swinv2": "Swinv2Backbone",
    "focalnet": "FocalNetBackbone",
    "hiera": "HieraBackbone",
    "textnet": "TextNetBackbone",
    "tipsv2_vision_model": "Tipsv2VisionBackbone",
    "vitdet": "VitDetBackbone",
    "vitpose_backbone": "VitPoseBackbone",
}
"""The class that hands on maps, by `model_type`."""


def backbone(
    default: str,
    keys: Mapping[str, Any] | None = None,
    *,
    optional: bool = False,
    renamed: Mapping[str, str] | None = None,
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
) -> Any:
    """Returns the key of a backbone; `default` is its `model_type` unless the file says one, `keys` are its keys if the
    file has none. `renamed` are types that the outer model reads as another one, and `prepare` rewrites the keys."""

    def prepared(content: Mapping[str, Any]) -> Mapping[str, Any]:
        kind = content.get("model_type") or default
        content = content if prepare is None else prepare(content)
        return {**content, "architectures": [CLASSES[(renamed or {}).get(kind, kind)]]}

    return fields.model(default, keys=keys, optional=optional, renamed=renamed, prepare=prepared, fits=_fits)


def _fits(architecture: Any, key: str) -> None:
    if not set(architecture.model_types) & set(CLASSES):
        name = architecture.model_types[0]
        raise DeclinedError(f"{key}.model_type is {name!r}, which is no backbone here: {', '.join(CLASSES)} are")


class Inside:
    """A builder of an inner model, whose input is a value of the outer one."""

    def __init__(self, b: Builder, given: Value) -> None:
        self.outer, self.given = b, given

    def input(self, *_: Any) -> Value:
        """Returns what the outer model gives."""
        return self.given

    def __getattr__(self, name: str) -> Any:
        return getattr(self.outer, name)


def maps(model: SubModel, workload: Workload, b: Builder, pixels: Value) -> tuple[Value, ...]:
    """Returns what the backbone hands on; the builder is in its scope."""
    inner: Any = Inside(b, pixels)
    found = model.architecture.build(model.config, workload, inner)
    return found if isinstance(found, tuple) else (found,)
