"""LLaVA-NeXT for films: the tokens of each frame are pooled in squares before the projector.

Zhang et al., 2024 (LLaVA-NeXT: a strong zero-shot video understanding model).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.layers import resident
from graphacct_architectures.multimodal.llava_next import LlavaNextConfig, pictured
from graphacct_architectures.multimodal.parts.anyres import AnySize
from graphacct_architectures.multimodal.parts.compose import Composition, Part
from graphacct_architectures.multimodal.parts.family import composition, own_or_text
from graphacct_architectures.multimodal.parts.projector import square_side

CLASSES = ("LlavaNextVideoForConditionalGeneration", "LlavaNextVideoModel")
POOLS = {"average": "avg_pool", "max": "max_pool", "conv": "convolution"}


@frozen(kw_only=True)
class LlavaNextVideoConfig(LlavaNextConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    spatial_pool_mode: str = fields.choice("average", tuple(POOLS))
    spatial_pool_stride: Dim = fields.size(2)
    spatial_pool_out_channels: Dim | None = fields.optional_size()


def compose(config: LlavaNextVideoConfig, root: str) -> Composition:
    """Returns a decoder, and its pictures, or films whose frames are pooled."""
    stride = config.spatial_pool_stride
    width = config.vision_config.config.hidden_size
    out = width if config.spatial_pool_out_channels is None else config.spatial_pool_out_channels
    name, kernel = f"{root}vision_resampler.pool", (stride, stride)

    def weights(b: Builder) -> Any:
        return b.parameter(f"{name}.weight", (out, width, *kernel)), b.parameter(f"{name}.bias", (out,))

    def film(sizes: AnySize, b: Builder, x: Value, project: Any, newline: Any, counts: tuple[Dim, Dim]) -> Value:
        count, tokens, channels = x.spec.shape
        side = square_side(tokens)
        resident(b, "image_newline_unused", newline)
        x = b.apply("reshape", x, name="frame_places", shape=(count, side, side, channels))
        x = b.apply("permute", x, name="frame_width_first", dims=(0, 3, 1, 2))
        if config.spatial_pool_mode == "conv":
            x = b.apply("convolution", x, *weights(b), name=name, stride=kernel)
        else:
            x = b.apply(POOLS[config.spatial_pool_mode], x, name=name, kernel=kernel, stride=kernel)
        pooled = x.spec.shape
        x = b.apply("reshape", x, name="pooled", shape=(count, pooled[1], pooled[2] * pooled[3]))
        x = b.apply("transpose", x, name="pooled_tokens", dims=(1, 2))
        x = project(b.apply("contiguous", x, name="pooled_copied"))
        films, frames = counts
        joined: Value = b.apply(
            "reshape", x, name="frames_joined", shape=(films, frames * x.spec.shape[1], x.spec.shape[2])
        )
        return joined

    sizes = AnySize(config.vision_config, config.image_grid_pinpoints)
    found = pictured(config, root, sizes, tied=own_or_text(config), film=film)
    if config.spatial_pool_mode != "conv":
        return found
    (images,) = found.parts

    def features(workload: Workload, b: Builder) -> Any:
        rows = images.features(workload, b)
        if workload.frames is None:
            resident(b, name, *weights(b))
        return rows

    return attrs.evolve(found, parts=(Part("images", features),))


ARCHITECTURE = composition(
    "llava_next_video",
    LlavaNextVideoConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    sizes={"tiles": lambda config: None, "frames": lambda config: None},
    no_cost={"video_token_index": None, "video_seq_length": None},
    doc="LLaVA-NeXT for films: a tower, frames pooled in squares, two linear layers, any decoder.",
)
