"""SigLIP 2: images of any size as a sequence of patches, with positions interpolated to their rows and columns.

Tschannen et al., 2025 (arXiv:2502.14786). An image is as many patches as its size has, without padding.
"""

from __future__ import annotations

from typing import Any

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    exact_div,
    fields,
    frozen,
)
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, cross_entropy
from graphacct_architectures.multimodal.clip import first_total
from graphacct_architectures.multimodal.parts.grid_ends import table
from graphacct_architectures.multimodal.siglip import (
    SIGMOID,
    LayerKeys,
    SiglipConfig,
    check_loss,
    compared,
    described,
    pairs,
    pooled,
    scored,
    usual_loss,
)
from graphacct_architectures.tower import tower

BOTH, CLASSIFIER = "Siglip2Model", "Siglip2ForImageClassification"


@frozen(kw_only=True)
class VisionConfig(LayerKeys):
    """The image tower's keys that the cost depends on."""

    num_channels: Dim = fields.size(3)
    num_patches: Dim = fields.size(256)
    patch_size: Dim = fields.size(16)
    vision_use_head: bool = fields.flag(True)


@frozen(kw_only=True)
class Siglip2Config(SiglipConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(BOTH, (BOTH, CLASSIFIER))
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "siglip2")  # type: ignore[assignment]

    @property
    def vision(self) -> VisionConfig:  # type: ignore[override]
        """The image tower."""
        return self.vision_config or VisionConfig()


def build(config: Siglip2Config, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images and texts to the similarities of each pair, by image and by text, and the two
    embeddings; or from images to logits."""
    check_loss(config, workload)
    with b.scope("vision_model"):
        tokens, image = images(config.vision, workload, b)
    if config.compares:
        return compared(config, workload, b, image)
    return scored(config, b, averaged(b, tokens))


def averaged(b: Builder, tokens: Value) -> Value:
    """Returns the mean of each image's patches (images, patches, width), as the class takes it: a sum of those that a
    mask has, divided by their number."""
    count, patches, _ = tokens.spec.shape
    seen = b.input("pixel_attention_mask", (count, patches), "int64")
    mask = b.apply("reshape", seen, name="pool_mask", shape=(count, patches, 1))
    kept = b.apply("sum", b.apply("mul", tokens, mask, name="seen_tokens"), name="summed", dim=1)
    mean: Value = b.apply("div", kept, b.apply("sum", mask, name="patches_seen", dim=1), name="mean")
    return mean


def images(config: Any, workload: Workload, b: Builder) -> tuple[Value, Value | None]:
    """Returns the patches of each image, normalized, and what its head makes of them."""
    x = image_states(config, workload, b)
    return x, pooled(config, b, x) if config.vision_use_head else None


def image_states(config: Any, workload: Workload, b: Builder) -> Value:
    """Returns the patches of each image of a batch, (images, patches, width), after all layers and the last norm."""
    assert workload.image_size is not None  # the architecture declares its default
    step, width, count = config.patch_size, config.hidden_size, workload.batch
    rows, columns = (exact_div(side, step, "image_size / patch_size") for side in workload.image_size)
    pixels = b.input("pixel_values", (count, rows * columns, config.num_channels * step * step))
    with b.scope("embeddings"):
        x = linear(b, "patch_embedding", pixels, width)
        side = root(config.num_patches)
        y = table(b, "position_embedding", side, width)
        y = b.apply("expand", y, name="positions_of_images", shape=(count, width, side, side))
        y = b.apply("upsample_linear_antialiased", y, name="resized", size=(rows, columns))
        y = b.apply("reshape", y, name="resized_flat", shape=(count, width, rows * columns))
        y = b.apply("transpose", y, name="resized_rows", dims=(1, 2))
        if b.dtype != "float32":
            y = b.apply("cast", y, name="resized_narrowed", dtype=b.dtype)
        x = b.apply("add", x, b.apply("contiguous", y, name="positions"), name="with_positions")
    mask = None
    if workload.attention == "eager":
        mask = b.apply("full", name="mask", shape=(count, 1, rows * columns, rows * columns), dtype=b.dtype)
    with b.scope("encoder"):
        x = tower(described(config), workload, b, x, mask)
    return layer_norm(b, "post_layernorm", x)


def root(count: Dim) -> Dim:
    """Returns the side of the square that the table of positions is. Raises ConfigError unless it is one."""
    from graphacct_architectures.multimodal.parts.projector import square_side

    try:
        return square_side(count)
    except ConfigError:
        raise ConfigError(f"num_patches is {count}: the positions are those of a square") from None


def usual_size(config: Any) -> tuple[Dim, Dim]:
    """Returns the size of an image with as many patches as the table has positions."""
    side = root(config.num_patches) * config.patch_size
    return side, side


ARCHITECTURE = Architecture(
    "siglip2",
    Siglip2Config,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.text.max_position_embeddings,
        "image_size": lambda config: usual_size(config.vision),
    },
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    losses={SIGMOID: pairs, CROSS_ENTROPY: cross_entropy, SUM: first_total},
    default_loss=usual_loss,
    model_types=("siglip2",),
    doc="SigLIP 2 (NaFlex): images of any size as patches, a Transformer for as many texts, a sigmoid of each pair.",
)
