"""Phi-3 Vision and Phi-3.5 Vision: pictures in crops of CLIP's size, four patches as one, a separator behind each row.

Abdin et al., 2024 (arXiv:2404.14219), section 6. The class is in the authors' files alone: the tower is CLIP
ViT-L/14 at 336 pixels whatever the file says, and the tokens of a picture are those that their processor counts.
"""

from __future__ import annotations

from math import ceil
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, SubModel, Value, Workload, fields, frozen
from graphacct_architectures.aliases import ALIASES
from graphacct_architectures.decoders.phi3 import Phi3Config, describe
from graphacct_architectures.layers import activation, linear
from graphacct_architectures.multimodal.clip import VisionConfig
from graphacct_architectures.multimodal.clip_vision import ARCHITECTURE as CLIP
from graphacct_architectures.multimodal.parts.anyres import MOST_PIXELS
from graphacct_architectures.multimodal.parts.compose import Composition, Part
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import without_first
from graphacct_architectures.multimodal.parts.towers import looked

GENERATION = "Phi3VForCausalLM"
TILE, SIDE, WIDTH = 336, 24, 1024
"""Pixels and patches of a side of a crop, and the tower's width."""
LARGE: dict[str, Any] = {
    **{"hidden_size": WIDTH, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16},
    **{"image_size": TILE, "patch_size": TILE // SIDE},
}


@frozen(kw_only=True)
class ImageConfig:
    """The keys of the images' part that the cost depends on."""

    name: str = fields.choice("clip_vision_model", ("clip_vision_model",))
    model_name: str = fields.choice("openai/clip-vit-large-patch14-336", ("openai/clip-vit-large-patch14-336",))
    image_dim_out: Dim = fields.size(WIDTH)
    num_img_tokens: Dim = fields.size(144)
    layer_idx: int = fields.checked_field(lambda value, field: _layer(value, field), -2)
    type_feature: str = fields.choice("patch", ("patch",))


@frozen(kw_only=True)
class LayerConfig:
    """How the crops' tokens are put together: one way is read, which both published models have."""

    embedding_cls: str = fields.choice("image", ("image",))
    projection_cls: str = fields.choice("mlp", ("mlp",))
    hd_transform_order: str = fields.choice("sub_glb", ("sub_glb",))
    use_hd_transform: bool = fields.always(True)
    with_learnable_separator: bool = fields.always(True)


def _layer(value: Any, field: attrs.Attribute[Any]) -> int:
    if type(value) is not int:
        raise ConfigError(f"{field.name} is the index of one of the tower's layers, not {value!r}")
    return value


@frozen(kw_only=True)
class Phi3VConfig(Phi3Config):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(GENERATION, (GENERATION,))
    img_processor: ImageConfig | None = fields.nested(ImageConfig, "phi3_v")
    embd_layer: LayerConfig | None = fields.nested(LayerConfig, "phi3_v")
    num_crops: int = fields.size(16)


def crops(config: Phi3VConfig, workload: Workload) -> tuple[int, int]:
    """Returns the rows and columns of crops of a picture: as many as `num_crops` allows for its ratio of sides."""
    size = workload.image_size
    assert size is not None  # the architecture declares its default
    high, wide = size
    if type(high) is not int or type(wide) is not int or max(high, wide) > MOST_PIXELS:
        raise ConfigError(f"image_size is {high}x{wide}: it is cut into crops, so give numbers up to {MOST_PIXELS:,}")
    long, short = max(high, wide), min(high, wide)
    ratio = long / short
    count = 1
    while (count + 1) * ceil((count + 1) / ratio) <= config.num_crops:
        count += 1
    across = ceil(int(count * TILE / ratio) / TILE) or 1
    rows, columns = (across, count) if wide >= high else (count, across)
    if workload.tiles not in (None, rows * columns + 1):
        raise ConfigError(
            f"tiles is {workload.tiles}, and a picture of {high}x{wide} is {rows * columns + 1}: leave tiles out"
        )
    return rows, columns


def compose(config: Phi3VConfig, root: str) -> Composition:
    """Returns Phi-3, and its pictures through CLIP, a separator behind each row, and two linear layers."""
    text = describe(config)
    tower = SubModel(CLIP, VisionConfig(**LARGE))
    processor = config.img_processor or ImageConfig()

    def rows(workload: Workload, b: Builder) -> Value:
        high, wide = crops(config, workload)
        images, count = workload.batch * (workload.images or 0), high * wide + 1
        squares = attrs.evolve(workload, batch=images * count, image_size=(TILE, TILE))
        with b.scope("model.vision_embed_tokens"):
            with b.scope("img_processor.vision_model"):
                (x,) = looked(tower, squares, b, (processor.layer_idx,))
            x = without_first(b, x, "patches")
            x = b.apply("reshape", x, name="crops", shape=(images, count, SIDE * SIDE, WIDTH))
            newline = b.parameter("sub_GN", (1, 1, 1, 4 * WIDTH))
            parts = []
            for label, start, size in (("whole", 0, (1, 1)), ("sub", 1, (high, wide))):
                part = b.apply("slice", x, name=f"{label}_crops", dim=1, start=start, length=size[0] * size[1])
                parts.append(lined(b, label, part, size, newline))
            between = b.parameter("glb_GN", (1, 1, 4 * WIDTH))
            each = b.apply("expand", between, name="separators", shape=(images, 1, 4 * WIDTH))
            x = b.apply("concat", parts[1], each, parts[0], name="packed", dim=1)
            x = activation(b, "gelu", linear(b, "img_projection.0", x, text.width), "img_projection.1")
            return linear(b, "img_projection.2", x, text.width)

    return Composition(text, (Part("images", rows),), "model", tied=config.tie_word_embeddings)


def lined(b: Builder, label: str, x: Value, size: tuple[int, int], newline: Any) -> Value:
    """Returns crops (images, rows · columns, patches, width) as one plane, four patches as one, row by row, each with a
    separator behind it."""
    images, half, (rows, columns) = x.spec.shape[0], SIDE // 2, size
    x = b.apply("reshape", x, name=f"{label}_fours", shape=(images * rows * columns, half, 2, half, 2, WIDTH))
    x = b.apply("permute", x, name=f"{label}_fours_last", dims=(0, 1, 3, 2, 4, 5))
    x = b.apply("reshape", x, name=f"{label}_merged", shape=(images, rows, columns, half, half, 4 * WIDTH))
    x = b.apply("permute", x, name=f"{label}_lines", dims=(0, 1, 3, 2, 4, 5))
    high, wide = rows * half, columns * half
    x = b.apply("reshape", x, name=f"{label}_plane", shape=(images, high, wide, 4 * WIDTH))
    line = b.apply("expand", newline, name=f"{label}_newlines", shape=(images, high, 1, 4 * WIDTH))
    x = b.apply("concat", x, line, name=f"{label}_with_newlines", dim=2)
    found: Value = b.apply("reshape", x, name=f"{label}_rows", shape=(images, high * (wide + 1), 4 * WIDTH))
    return found


ARCHITECTURE = attrs.evolve(
    composition(
        "phi3_v",
        Phi3VConfig,
        compose,
        PresetFiles(__file__),
        classes=(GENERATION, ""),
        image_size=lambda config: (TILE, TILE),
        sizes={"seq_len": lambda config: config.max_position_embeddings, "tiles": lambda config: None},
        aliases=ALIASES,
        doc="Phi-3 Vision: pictures in crops through CLIP, a separator behind each row, Phi-3.",
    ),
    inexact=None,
)
