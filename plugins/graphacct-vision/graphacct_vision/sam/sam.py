"""SAM: masks of what points of an image show (Kirillov et al., 2023, arXiv:2304.02643).

A prompt is one set of points for each image; --points says how many. There are neither boxes nor masks in it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from graphacct_architectures.derived import agree

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    fields,
    floor_div,
    frozen,
)
from graphacct_vision.sam.sam_family import SamKeys, prompted_family
from graphacct_vision.sam.sam_masks import decoded
from graphacct_vision.sam.sam_prompt import placed, prompted
from graphacct_vision.sam.sam_vision import VisionKeys, encoded_and_state

CLASSES = ("SamModel",)


@frozen(kw_only=True)
class InnerVision(VisionKeys):
    """The image encoder's keys inside the whole model."""

    model_type: str = fields.choice("sam_vision_model", ("sam_vision_model", "sam_vision", ""))


@frozen(kw_only=True)
class SamConfig(SamKeys):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: InnerVision | None = fields.nested(InnerVision, "SAM")

    @property
    def vision(self) -> InnerVision:
        """The image encoder."""
        return self.vision_config or InnerVision()

    def __attrs_post_init__(self) -> None:
        widths = {self.vision.output_channels, self.prompt.hidden_size, self.masks.hidden_size}
        widths |= {2 * self.vision.num_pos_feats}
        if len(widths) != 1:
            raise ConfigError(
                "output_channels, twice num_pos_feats and both hidden_size are one width, not "
                f"{sorted(map(str, widths))}"
            )
        if self.prompt.num_point_embeddings < 2:
            raise ConfigError("num_point_embeddings is at least 2: for what is shown and for what is not")
        sides = (floor_div(self.prompt.image_size, self.prompt.patch_size), self.vision.side)
        agree("prompt_encoder_config.image_embedding_size", self.prompt.image_embedding_size, sides[0])
        if not equal(*sides):
            raise ConfigError(
                f"the prompt encoder's image has {sides[0]} patches a side, the image encoder's {sides[1]}"
            )


def build(
    config: SamConfig, workload: Workload, b: Builder, decode: Callable[..., tuple[Value, Value]]
) -> tuple[Value, ...]:
    """Returns the graph from pixels and points to the quality of masks and the masks, (batch, 1, masks, …). `decode`
    is the family's decoder."""
    assert workload.points is not None  # the architecture declares its default
    batch, side, width = workload.batch, config.vision.side, config.prompt.hidden_size
    rates = b.parameter("shared_image_embedding.positional_embedding", (2, config.vision.num_pos_feats))
    with b.scope("shared_image_embedding"):
        where = placed(b, rates, batch, side, width)
    with b.scope("vision_encoder"):
        wanted = None if decode is decoded else first_whole(config.vision)
        image, early = encoded_and_state(config.vision, workload, b, "vision_config.image_size", wanted)
    with b.scope("prompt_encoder"):
        tied = "shared_image_embedding.positional_embedding"
        sparse, dense = prompted(config.prompt, b, batch, workload.points, side, tied)
    with b.scope("mask_decoder"):
        rest = () if decode is decoded else (None if wanted is None else early,)
        return decode(config.masks, workload, b, image, where, sparse, dense, *rest)


def first_whole(config: VisionKeys) -> int | None:
    """Returns the number of layers up to the first that sees the whole image, or None if there is none."""
    if not config.window_size:
        return 1
    return next((index + 1 for index in sorted(config.global_attn_indexes) if index < config.num_hidden_layers), None)


def family(
    name: str,
    config: type[SamConfig],
    presets: PresetFiles,
    doc: str,
    decode: Callable[..., tuple[Value, Value]] = decoded,
) -> Architecture:
    """Returns the architecture of a family of which its configuration class and its decoder say everything."""

    def image(config: SamConfig) -> tuple[Dim, Dim]:
        return config.vision.image_size, config.vision.image_size

    return prompted_family(name, config, partial(build, decode=decode), presets, doc, image, {"scale": None})


ARCHITECTURE = family(
    "sam",
    SamConfig,
    PresetFiles(__file__),
    "SAM: masks of what points of an image show: a ViT of windows, and a decoder that reads both ways.",
)
