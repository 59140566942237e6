"""MiniCPM-V 4.6: SigLIP's layers over images of any size, with a merger of windows among them, and one after them, into
Qwen3.5.

OpenBMB, 2026 (MiniCPM-V 4.6).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    brief,
    exact_div,
    fields,
    floor_div,
    frozen,
    has_value,
)
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.minicpm_grid import VisionConfig, looked, merged, unread

CLASSES = ("MiniCPMV4_6ForConditionalGeneration", "MiniCPMV4_6Model")
WITHOUT = "4x"
"""The mode in which the merger among the layers does not run."""


def place() -> Any:
    """Returns the index of the layer that the merger follows, -1 for none: no size, because nothing is that many."""

    def check(value: Any, field: attrs.Attribute[Any]) -> int:
        if type(value) is not int or value < -1:
            raise ConfigError(f"{field.name} is the index of a layer, or -1 for none, not {brief(value)}")
        return value

    return fields.checked_field(check, 6)


@frozen(kw_only=True)
class MiniCPMVConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "minicpmv4_6")
    text_config: SubModel = text_model("qwen3_5_text")
    insert_layer_id: int = place()
    image_size: Dim = fields.size(448)
    downsample_mode: str = fields.choice("16x", ("16x", WITHOUT))
    merge_kernel_size: tuple[Dim, Dim] = fields.sides(2)
    merger_times: int = fields.size(1)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()

    @property
    def vision(self) -> VisionConfig:
        """The tower."""
        return self.vision_config or VisionConfig()

    @property
    def inserted(self) -> bool:
        """Whether the merger among the layers runs."""
        return self.downsample_mode != WITHOUT and self.insert_layer_id >= 0


def grid(config: MiniCPMVConfig, workload: Workload) -> tuple[Dim, Dim]:
    """Returns the rows and columns of patches. Raises ConfigError unless all mergers find whole squares."""
    assert workload.image_size is not None  # the architecture declares its default
    units = unit(config)
    for side, least in zip(workload.image_size, units, strict=True):
        if has_value(side) and has_value(least) and side % least:
            raise ConfigError(
                f"image_size {workload.image_size[0]}x{workload.image_size[1]} is that after resizing: multiples of "
                f"{units[0]} and {units[1]}"
            )
    step = config.vision.patch_size
    rows, columns = (exact_div(side, step, "image_size / patch_size") for side in workload.image_size)
    return rows, columns


def unit(config: MiniCPMVConfig) -> tuple[Dim, Dim]:
    """Returns the pixels on each side of the squares that the last merger makes one token of."""
    first = 1 if config.downsample_mode == WITHOUT else 2
    high, wide = (config.vision.patch_size * first * side**config.merger_times for side in config.merge_kernel_size)
    return high, wide


def compose(config: MiniCPMVConfig, root: str) -> Composition:
    """Returns a decoder, and its images through the tower and the mergers."""
    text = described(config.text_config)

    def rows(workload: Workload, b: Builder) -> Value:
        assert workload.images is not None  # the architecture declares its default
        frames = 1 if workload.frames is None else workload.frames  # each is seen as a picture
        images, sides = workload.batch * workload.images * frames, grid(config, workload)
        place = config.insert_layer_id if config.inserted else -1
        with b.scope(f"{root}vision_tower"):
            x, sides = looked(config.vision, workload, b, images, sides, place)
        if not config.inserted:
            unread(config.vision, workload, b, f"{root}vision_tower.vit_merger")
            if config.downsample_mode != WITHOUT:  # the class reads as many tokens as the merger would have left
                high, wide = (exact_div(side, 2, "patches on a side / 2") for side in sides)
                sides = high, wide
                x = b.apply("slice", x, name="tokens_read", dim=0, start=0, length=images * high * wide)
        with b.scope(f"{root}merger"):
            return merged(config, b, x, images, sides, text.width)

    return Composition(text, (Part("images", rows),), f"{root}language_model", tied=config.tie_word_embeddings)


def usual_size(config: MiniCPMVConfig) -> tuple[Dim, Dim]:
    """Returns the size of an image: the file's, or what of it the mergers read."""
    high, wide = (floor_div(config.image_size, side) * side for side in unit(config))
    return high, wide


def size(config: Any) -> Any:
    """Returns the size of an image."""
    return usual_size(config)


ARCHITECTURE = composition(
    "minicpmv4_6",
    MiniCPMVConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=size,
    sizes={"frames": lambda config: None},
    no_cost=dict.fromkeys(("drop_vision_last_layer", "patch_size", "insert_layer_id")),
    doc="MiniCPM-V 4.6: SigLIP's layers over images of any size, with mergers of squares, into Qwen3.5.",
)
