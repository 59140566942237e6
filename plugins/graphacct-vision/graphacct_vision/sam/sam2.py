"""SAM 2 on single images: masks of what points show, with finer maps of the image (Ravi et al., 2024,
arXiv:2408.00714).

A prompt is one set of points for each image; --points says how many. There are neither boxes nor masks in it, and
nothing is remembered of other frames.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    exact_div,
    fields,
    floor_div,
    frozen,
)
from graphacct_vision.parts.layers import convolution
from graphacct_vision.sam.sam2_hiera_det import NO_COST
from graphacct_vision.sam.sam2_vision import Sam2VisionKeys, encoded
from graphacct_vision.sam.sam_family import SamKeys, prompted_family
from graphacct_vision.sam.sam_masks import MaskConfig, Naming, both, drawn, enlarged, perceptron, rows_of
from graphacct_vision.sam.sam_prompt import (
    PromptConfig,
    given_points,
    hidden_where,
    no_mask,
    placed,
    unread_masks,
    waves,
)

CLASSES = ("Sam2Model",)
NAMES = Naming(out="o_proj", rate=None, deep=True)
LEVELS = 3


@frozen(kw_only=True)
class InnerVision(Sam2VisionKeys):
    """The image encoder's keys inside the whole model."""

    model_type: str = fields.choice("sam2_vision_model", ("sam2_vision_model", ""))


@frozen(kw_only=True)
class Sam2Config(SamKeys):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: InnerVision | None = fields.nested(InnerVision, "SAM 2")

    @property
    def vision(self) -> InnerVision:
        """The image encoder."""
        return self.vision_config or InnerVision()

    def __attrs_post_init__(self) -> None:
        widths = {self.vision.fpn_hidden_size, self.prompt.hidden_size, self.masks.hidden_size}
        if len(widths) != 1:
            raise ConfigError(f"fpn_hidden_size and both hidden_size are one width, not {sorted(map(str, widths))}")
        self.check_levels()

    def check_levels(self) -> None:
        """Raises ConfigError unless masks are drawn from three maps."""
        if self.vision.num_feature_levels != LEVELS:
            raise ConfigError(
                f"num_feature_levels is {self.vision.num_feature_levels}: masks are drawn from {LEVELS} maps"
            )


def build(config: Any, workload: Workload, b: Builder, encode: Callable[..., Any]) -> tuple[Value, ...]:
    """Returns the graph from pixels and points to the quality of masks and the masks, (batch, 1, masks, …). `encode`
    returns the family's maps of an image, the third of which is the decoder's."""
    assert workload.points is not None  # the architecture declares its default
    batch, width = workload.batch, config.prompt.hidden_size
    side = floor_div(config.prompt.image_size, config.prompt.patch_size)
    half = exact_div(width, 2, "hidden_size / 2")
    rates = b.parameter("shared_image_embedding.positional_embedding", (2, half), buffer=True)
    with b.scope("shared_image_embedding"):
        where = placed(b, rates, batch, side, width)
    with b.scope("vision_encoder"):
        _, maps = encode(config.vision, workload, b)
    check_maps(config, maps, side)
    with b.scope("mask_decoder"):
        finest = convolution(b, "conv_s0", maps[0], exact_div(width, 8, "hidden_size / 8"), bias=True)
        finer = convolution(b, "conv_s1", maps[1], exact_div(width, 4, "hidden_size / 4"), bias=True)
    image = maps[LEVELS - 1]
    last = without_memory(b, maps[-1])  # with a fourth map, that one alone, which nothing reads
    image = last if len(maps) == LEVELS else image
    with b.scope("prompt_encoder"):
        sparse, dense = prompted(config.prompt, b, batch, workload.points, side)
    with b.scope("mask_decoder"):
        return decoded(config.masks, workload, b, image, where, sparse, dense, (finer, finest))


def without_memory(b: Builder, x: Value) -> Value:
    """Returns a map with what stands for no other frame added to each of its places."""
    batch, width, rows, columns = x.spec.shape
    x = b.apply("reshape", x, name="image_flat", shape=(batch, width, rows * columns))
    x = b.apply("permute", x, name="image_tokens", dims=(2, 0, 1))
    x = b.apply("add", x, b.parameter("no_memory_embedding", (1, 1, width)), name="without_memory")
    x = b.apply("permute", x, name="image_channels", dims=(1, 2, 0))
    return b.apply("reshape", x, name="image", shape=(batch, width, rows, columns))


def check_maps(config: Any, maps: list[Value], side: Dim) -> None:
    """Raises ConfigError if the encoder's maps are not of the sizes that the file and the prompt's image say."""
    for x, given in zip(maps, config.vision.backbone_feature_sizes or (), strict=False):
        if not all(map(equal, x.spec.shape[2:], given)):
            raise ConfigError(
                f"backbone_feature_sizes has {list(given)}, but a map is {x.spec.shape[2]}x{x.spec.shape[3]}: take "
                "the image_size that the sizes are of"
            )
    if not all(equal(one, side) for one in maps[2].spec.shape[2:]):
        raise ConfigError(
            f"the smallest map is {maps[2].spec.shape[2]}x{maps[2].spec.shape[3]}, but the prompt encoder's image has "
            f"{side} patches a side"
        )


def prompted(config: PromptConfig, b: Builder, batch: Dim, points: Dim, side: Dim) -> tuple[Value, Value]:
    """Returns the tokens of the points, with one for none, and the map of a prompt without a mask."""
    width = config.hidden_size
    x, labels = given_points(b, batch, points)
    rates = (2, exact_div(width, 2, "hidden_size / 2"))
    own = b.parameter("shared_embedding.positional_embedding", rates, buffer=True)
    with b.scope("shared_embedding"):
        x = waves(b, b.apply("scale", x, name="relative"), own)
    column = b.apply("reshape", labels, name="label_column", shape=(batch, 1, points + 1, 1))
    none = b.apply("eq", column, b.apply("full", name="none_label", shape=(), dtype=b.dtype), name="is_none")
    row = b.parameter("not_a_point_embed.weight", (1, width))
    row = b.apply("reshape", row, name="none_row", shape=(1, 1, 1, width))
    x = b.apply("where", none, row, x, name="with_none")
    shown = b.apply("ne", column, b.apply("full", name="hidden_label", shape=(), dtype=b.dtype), name="is_shown")
    x = hidden_where(b, x, shown)
    table = b.parameter("point_embed.weight", (config.num_point_embeddings, width))
    ids = b.apply("cast", b.apply("clamp", labels, name="kinds"), name="kind_ids", dtype="int64")
    kinds = b.apply("embedding", ids, table, name="point_embed")
    seen = b.apply("ge", column, b.apply("full", name="seen_label", shape=(), dtype=b.dtype), name="is_seen")
    seen = b.apply("cast", seen, name="seen", dtype=b.dtype)
    x = b.apply("add", x, b.apply("mul", kinds, seen, name="kinds_seen"), name="with_kinds")
    unread_masks(config, b)
    return x, no_mask(b, batch, width, side)


def decoded(
    config: MaskConfig,
    workload: Workload,
    b: Builder,
    image: Value,
    where: Value,
    sparse: Value,
    dense: Value,
    sides: tuple[Value, Value],
) -> tuple[Value, Value]:
    """Returns the quality of each mask and the masks."""
    count, width = config.num_multimask_outputs + 1, config.hidden_size
    own = {"obj_score_token": 1, "iou_token": 1, "mask_tokens": count}
    tokens, x = both(NAMES, config, workload, b, own, image, where, sparse, dense)
    copies = [b.apply("clone", side, name=f"side_{place}") for place, side in enumerate(sides)]
    x = enlarged(b, x, copies)
    names = [f"output_hypernetworks_mlps.{index}" for index in range(count)]
    masks = drawn(b, rows_of(b, tokens, 2, names, width), x, "masks")
    quality = b.apply("select", tokens, name="quality_token", dim=2, index=1)
    with b.scope("iou_prediction_head"):
        scores = perceptron(b, quality, config.iou_head_hidden_dim, count, config.iou_head_depth)
        scores = b.apply("sigmoid", scores, name="scores")
    with b.scope("pred_obj_score_head"):  # whether there is anything to see, which is no mask
        perceptron(b, b.apply("select", tokens, name="object_token", dim=2), width, 1, 3)
    masks = b.apply("slice", masks, name="pred_masks", dim=2, start=1, length=count - 1)
    return b.apply("slice", scores, name="iou_scores", dim=2, start=1, length=count - 1), masks


STABILITY = (
    "dynamic_multimask_via_stability",
    "dynamic_multimask_stability_delta",
    "dynamic_multimask_stability_thresh",
)
"""Keys of how one of several masks is chosen."""


def family(
    name: str,
    config: type[Any],
    presets: PresetFiles,
    doc: str,
    encode: Callable[..., Any],
    image: Callable[[Any], tuple[Dim, Dim]],
    no_cost: tuple[str, ...] = (),
    graph: Callable[..., tuple[Value, ...]] = build,
) -> Architecture:
    """Returns the architecture of a family of which its configuration class and its image encoder say everything."""
    unread = dict.fromkeys((*NO_COST, *STABILITY, "scale", "hidden_act", *no_cost))
    return prompted_family(name, config, partial(graph, encode=encode), presets, doc, image, unread)


ARCHITECTURE = family(
    "sam2",
    Sam2Config,
    PresetFiles(__file__),
    "SAM 2 on single images: Hiera with a pyramid, and a decoder that reads both ways.",
    encoded,
    lambda config: config.vision.hiera.image_size,
)
