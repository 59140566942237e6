"""Models of timm's by their names, alone or in the library's wrapper. What each name is stands in `timm/`."""

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
    has_value,
)
from graphacct_vision.timm import families
from graphacct_vision.timm import resnet as timm_resnet
from graphacct_vision.timm.mobilenetv5 import encoded

CLASSES = ("TimmWrapperModel", "TimmWrapperForImageClassification", "timm")
CHANNELS = 3
ARGUMENTS = ("img_size", "in_chans")
"""The keys of `model_args` that are read."""
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


def _arguments() -> Any:
    """Returns the key `model_args`: what the model is made with beside its name."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Mapping[str, Any]:
        if not isinstance(value or {}, Mapping):
            raise ConfigError(f"{field.name} is an object of arguments, not {brief(value)}")
        given = dict(value or {})
        for key in given:
            if key not in ARGUMENTS:
                raise DeclinedError(
                    f"{field.name} has {brief(key)}, which is not modelled: {' and '.join(ARGUMENTS)} are read"
                )
        size, channels = given.get("img_size"), given.get("in_chans")
        sides = size if isinstance(size, (list, tuple)) else [size, size]
        if size is not None and (len(sides) != 2 or not all(has_value(side) and 0 < side < 10**6 for side in sides)):
            raise ConfigError(f"{field.name} has img_size {brief(size)}: a side or two")
        if channels is not None and (type(channels) is not int or not 0 < channels < 10**6):
            raise ConfigError(f"{field.name} has in_chans {brief(channels)}, not a number of channels")
        return given

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class TimmConfig:
    """The keys of a config.json of timm's, or of the library's wrapper, that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    architecture: str = timm_resnet.model_name("resnet50")
    num_labels: Dim = fields.label_count(1000)
    do_pooling: bool = fields.flag(True)
    model_args: Any = _arguments()
    pretrained_cfg: Any = _pretrained()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        name, unpooled = self.architecture, self.architectures == CLASSES[0] and not self.do_pooling
        if self.encoder:
            if self.architectures == CLASSES[1] or (self.architectures == CLASSES[0] and self.do_pooling):
                raise DeclinedError(
                    f"architecture {brief(name)} has no head: its class is {CLASSES[0]}, with do_pooling false"
                )
            if self.model_args:
                raise DeclinedError(f"model_args is {brief(self.model_args)}, which {brief(name)} does not take")
        elif families.family(name) is None:
            raise DeclinedError(families.refusal("architecture", name))
        elif unpooled and getattr(self.model, "learned_pool", False):
            raise DeclinedError(
                f"do_pooling is false, and architecture {brief(name)} has weights that pool: it is read with true"
            )

    @property
    def encoder(self) -> bool:
        """Whether the model is Gemma 3n's tower."""
        return self.architecture.partition(".")[0] == ENCODER

    @property
    def model(self) -> Any:
        """The model that is named, for images of the size that the file fixes."""
        kind = families.kind(self.architecture)
        size = self.model_args.get("img_size")
        if size is None and (self.pretrained_cfg or {}).get("fixed_input_size"):
            size = self.stated_size
        if size is None:
            return kind
        return attrs.evolve(kind, image=tuple(size) if isinstance(size, (list, tuple)) else (size, size))

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
    channels = config.model_args.get("in_chans") or CHANNELS
    pixels = b.input("pixel_values", (workload.batch, channels, *workload.image_size))
    with b.scope("" if config.architectures == CLASSES[2] else "timm_model"):
        if config.encoder:
            return encoded(b, pixels)
        x, pooled = families.built(config.architecture, config.model, workload, b, pixels, labels)
    if config.architectures != CLASSES[0]:
        return pooled
    return (x, pooled) if config.do_pooling else x


def image_size(config: TimmConfig) -> tuple[int, int]:
    """Returns the size of the images that the model is published for."""
    if config.encoder:
        return config.stated_size or (768, 768)
    side = config.model.image
    own = side if isinstance(side, tuple) else (side, side)
    return own if config.model_args.get("img_size") else config.stated_size or own


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
    doc="Models of timm's by their names, from timm's own config.json or the library's.",
)
