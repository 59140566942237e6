"""Models of timm's: ResNet, ViT, ConvNeXt, MobileNet-v5 by their names, alone or in the library's wrapper.

He et al., 2015 (arXiv:1512.03385); Dosovitskiy et al., 2020 (arXiv:2010.11929).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    DeclinedError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    fields,
    frozen,
)
from graphacct_vision.parts.layers import flat_logits
from graphacct_vision.timm import timm_convnext, timm_resnet, timm_vit
from graphacct_vision.timm.mobilenetv5 import encoded

CLASSES = ("TimmWrapperModel", "TimmWrapperForImageClassification", "timm")
CHANNELS = 3
ENCODER = "mobilenetv5_300m_enc"
"""Gemma 3n's tower, which has no head."""


def _pretrained() -> Any:
    """Returns the key `pretrained_cfg`, of which the size of an image is read: channels, height and width."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Any:
        if value is not None and not isinstance(value, Mapping):
            raise ConfigError(f"{field.name} is an object of settings, not {brief(value)}")
        fixed = (value or {}).get("fixed_input_size")
        if not isinstance(fixed, (bool, type(None))):
            raise ConfigError(f"{field.name} has fixed_input_size {brief(fixed)}, not true or false")
        size = (value or {}).get("input_size")
        if size is None:
            return value
        counts = isinstance(size, (list, tuple)) and all(type(side) is int and 0 < side < 10**6 for side in size)
        if not counts or len(size) != 3 or size[0] != CHANNELS:
            raise ConfigError(
                f"{field.name} has input_size {brief(size)}: {CHANNELS} channels, a height and a width are read"
            )
        return value

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class TimmConfig:
    """The keys of a config.json of timm's, or of the library's wrapper, that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    architecture: str = timm_resnet.model_name("resnet50")
    num_labels: Dim = fields.label_count(1000)
    do_pooling: bool = fields.flag(True)
    model_args: Any = attrs.field(default=None)
    pretrained_cfg: Any = _pretrained()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        name = self.architecture
        if self.vit is not None and (self.pretrained_cfg or {}).get("fixed_input_size"):
            side = self.vit.image
            if self.stated_size not in (None, (side, side)):
                raise DeclinedError(
                    f"pretrained_cfg has input_size {brief(self.pretrained_cfg['input_size'])}, and architecture "
                    f"{brief(name)} is read for images of {side}x{side}"
                )
        if self.model_args not in (None, {}):
            raise DeclinedError(f"model_args is {brief(self.model_args)}: arguments of timm's models are not modelled")
        if self.encoder:
            if self.architectures == CLASSES[1] or (self.architectures == CLASSES[0] and self.do_pooling):
                raise DeclinedError(
                    f"architecture {brief(name)} has no head: its class is {CLASSES[0]}, with do_pooling false"
                )
        elif self.vit is None and name.partition(".")[0] not in (*timm_resnet.SIZES, *timm_convnext.SIZES):
            raise DeclinedError(
                f"architecture {brief(name)} is timm's, which is not modelled: {', '.join(timm_resnet.SIZES)}, ViTs "
                "such as vit_base_patch16_224, deit_small_patch16_224 and vit_base_patch14_dinov2, "
                f"{', '.join(timm_convnext.SIZES)} and {ENCODER} are"
            )

    @property
    def encoder(self) -> bool:
        """Whether the model is Gemma 3n's tower."""
        return self.architecture.partition(".")[0] == ENCODER

    @property
    def vit(self) -> timm_vit.TimmViT | None:
        """The ViT that is named; None for a ResNet."""
        return timm_vit.named(self.architecture)

    @property
    def stated_size(self) -> tuple[int, int] | None:
        """The height and width of the images that the file states."""
        size = (self.pretrained_cfg or {}).get("input_size")
        return None if size is None else (size[1], size[2])

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes."""
        return self.architectures != CLASSES[0] and classes(self.num_labels)


def build(config: TimmConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, or to the last states and the pooled ones."""
    check_entropy(config.labelled, workload, config.architectures)
    labels = 0 if config.architectures == CLASSES[0] else config.num_labels
    assert workload.image_size is not None  # the architecture declares its default
    with b.scope("" if config.architectures == CLASSES[2] else "timm_model"):
        if config.encoder:
            return mobilenet(workload, b)
        x, pooled = pooled_by(config, workload, b, labels)
    if config.architectures != CLASSES[0]:
        return pooled
    return (x, pooled) if config.do_pooling else x


def mobilenet(workload: Workload, b: Builder) -> Value:
    """Returns the joined map of Gemma 3n's tower."""
    assert workload.image_size is not None
    return encoded(b, b.input("pixel_values", (workload.batch, 3, *workload.image_size)))


def resnet(config: TimmConfig, workload: Workload, b: Builder, labels: Dim) -> tuple[Value, Value]:
    """Returns the last map, and the logits of its mean."""
    assert workload.image_size is not None
    pixels = b.input("pixel_values", (workload.batch, 3, *workload.image_size))
    kind = timm_resnet.TimmResNet(
        *timm_resnet.named(config.architecture, "architecture"), training=workload.phase == "train"
    )
    x = timm_resnet.maps(kind, b, pixels)[-1]
    mean = b.apply("mean", x, name="global_pool", dim=(2, 3), keepdim=True)
    return x, flat_logits(b, "fc", mean, labels)


def pooled_by(config: TimmConfig, workload: Workload, b: Builder, labels: Dim) -> tuple[Value, Value]:
    """Returns the last map or tokens, and the logits."""
    if config.vit is not None:
        return timm_vit.build(config.vit, workload, b, labels)
    convnext = timm_convnext.named(config.architecture)
    if convnext is not None:
        return timm_convnext.build(convnext, workload, b, labels)
    return resnet(config, workload, b, labels)


def image_size(config: TimmConfig) -> tuple[int, int]:
    """Returns the size of the images that the model is published for."""
    side = 768 if config.encoder else 224 if config.vit is None else config.vit.image
    return config.stated_size or (side, side)


ARCHITECTURE = Architecture(
    "timm_wrapper",
    TimmConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", "num_classes": "num_labels", **fields.LABELS},
    no_cost=dict.fromkeys(("num_features", "global_pool", "label_names", "label_descriptions")),
    model_types=("timm_wrapper",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="ResNet, ViT and Gemma 3n's tower of timm's by their names, from timm's own config.json or the library's.",
)
