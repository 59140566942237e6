"""LLaVA-OneVision: LLaVA-NeXT with a SigLIP tower, whose tokens are made fewer for large pictures; and films.

Li et al., 2024 (arXiv:2408.03326).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, SubModel, Value, brief, ceil_div, fields, frozen
from graphacct_architectures.multimodal.llava_next import LlavaNextConfig, pictured
from graphacct_architectures.multimodal.parts.anyres import AnySize, resolutions
from graphacct_architectures.multimodal.parts.compose import Composition, text_model
from graphacct_architectures.multimodal.parts.family import composition, layer_indices, own_or_text
from graphacct_architectures.multimodal.parts.towers import vision_model

CLASSES = ("LlavaOnevisionForConditionalGeneration", "LlavaOnevisionModel")
VISION = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "patch_size": 14,
    "image_size": 384,
    "num_hidden_layers": 26,
    "num_attention_heads": 16,
    "vision_use_head": False,
}
"""The tower of a file without one."""
SIDES = tuple(range(384, 2305, 384))
RESOLUTIONS = tuple((height, width) for height in SIDES for width in SIDES)
ANYRES = "anyres_max_"


def _ratio() -> Any:
    """Returns the key that says how many squares a picture's tokens may fill."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        count = value.removeprefix(ANYRES) if isinstance(value, str) and value.startswith(ANYRES) else ""
        if not (count.isascii() and count.isdecimal() and 0 < int(count) < 10**6):
            raise ConfigError(f"{field.name} is {ANYRES}N with a number N, as {ANYRES}9, not {brief(value)}")
        return f"{ANYRES}{int(count)}"

    return fields.checked_field(check, "anyres_max_9")


@frozen(kw_only=True)
class LlavaOnevisionConfig(LlavaNextConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("siglip_vision_model", VISION)
    text_config: SubModel = text_model("qwen2")
    vision_feature_select_strategy: str = fields.choice("full", ("default", "full"))
    vision_feature_layer: tuple[int, ...] = layer_indices(-1)
    image_grid_pinpoints: tuple[tuple[int, int], ...] = resolutions(RESOLUTIONS)
    vision_aspect_ratio: str = _ratio()


def film(
    sizes: AnySize,
    b: Builder,
    x: Value,
    project: Callable[[Value], Value],
    newline: Any,
    counts: tuple[Dim, Dim],
) -> Value:
    """Returns films' tokens: each frame's, projected and made a quarter, and one more behind all."""
    films, frames = counts
    side, x = sizes.side, project(x)
    count, _, width = x.spec.shape
    x = b.apply("reshape", x, name="frame_places", shape=(count, side, side, width))
    x = b.apply("permute", x, name="frame_width_first", dims=(0, 3, 1, 2))
    x = b.apply("contiguous", x, name="frames_copied")
    half = ceil_div(side, 2)
    x = b.apply("upsample_linear", x, name="pooled", size=(half, half))
    x = b.apply("permute", x, name="frame_width_last", dims=(0, 2, 3, 1))
    x = b.apply("reshape", x, name="frames_joined", shape=(films, frames * half * half, width))
    line = b.apply("reshape", newline, name="newline", shape=(1, 1, width))
    line = b.apply("repeat", line, name="newlines", times=(films, 1, 1))
    found: Value = b.apply("concat", x, line, name="with_newline", dim=1)
    return found


def compose(config: LlavaOnevisionConfig, root: str) -> Composition:
    """Returns a decoder, and its pictures or films."""
    most = int(config.vision_aspect_ratio.removeprefix(ANYRES))
    sizes = AnySize(config.vision_config, config.image_grid_pinpoints, most, alone=True)
    return pictured(config, root, sizes, tied=own_or_text(config), film=film)


ARCHITECTURE = composition(
    "llava_onevision",
    LlavaOnevisionConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    sizes={"tiles": lambda config: None, "frames": lambda config: None},
    no_cost={"video_token_index": None},
    doc="LLaVA-OneVision: pictures of any size, or films, through a SigLIP tower into any decoder.",
)
