"""SAM-HQ: SAM with one more mask, drawn with maps of the encoder (Ke et al., 2023, arXiv:2306.01567)."""

from __future__ import annotations

from graphacct_architectures.layers import resident

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, exact_div, fields, frozen
from graphacct_vision.convnets.convnext import norm_of_channels
from graphacct_vision.parts.layers import convolution, transposed
from graphacct_vision.sam.sam import InnerVision, SamConfig, family
from graphacct_vision.sam.sam_masks import SAM, MaskConfig, both, drawn, enlarged, perceptron, rows_of

CLASSES = ("SamHQModel",)


@frozen(kw_only=True)
class InnerHQVision(InnerVision):
    """The image encoder's keys inside the whole model."""

    model_type: str = fields.choice("sam_hq_vision_model", ("sam_hq_vision_model", "sam_hq_vision", ""))


@frozen(kw_only=True)
class HQMaskConfig(MaskConfig):
    """The mask decoder's keys."""

    vit_dim: Dim = fields.size(768)


@frozen(kw_only=True)
class SamHQConfig(SamConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: InnerHQVision | None = fields.nested(InnerHQVision, "SAM-HQ")
    mask_decoder_config: HQMaskConfig | None = fields.nested(HQMaskConfig, "SAM-HQ")
    tie_word_embeddings: bool = fields.always(True)

    @property
    def vision(self) -> InnerVision:
        """The image encoder."""
        return self.vision_config or InnerHQVision()

    @property
    def masks(self) -> HQMaskConfig:
        """The mask decoder."""
        return self.mask_decoder_config or HQMaskConfig()

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not equal(self.masks.vit_dim, self.vision.hidden_size):
            raise ConfigError(
                f"mask_decoder_config.vit_dim is {self.masks.vit_dim}, but the image encoder's width "
                f"{self.vision.hidden_size}"
            )


def decoded(
    config: HQMaskConfig,
    workload: Workload,
    b: Builder,
    image: Value,
    where: Value,
    sparse: Value,
    dense: Value,
    early: Value | None,
) -> tuple[Value, Value]:
    """Returns the quality of each mask and the masks, each with the one of high quality added. `early` is the image
    after the encoder's first layer that sees all of it; None if there is none."""
    count, width = config.num_multimask_outputs + 1, config.hidden_size
    quarter, eighth = (exact_div(width, part, f"hidden_size / {part}") for part in (4, 8))
    fine = widened(b, image, ("encoder_conv1", "encoder_norm", "encoder_conv2"), quarter, eighth)
    if early is None:
        idle(config, b)
    else:
        early = b.apply("permute", early, name="early_channels_first", dims=(0, 3, 1, 2))
        early = b.apply("contiguous", early, name="early_map")
        early = widened(b, early, ("compress_vit_conv1", "compress_vit_norm", "compress_vit_conv2"), width, eighth)
        fine = b.apply("add", fine, early, name="fine")
    own = {"iou_token": 1, "mask_tokens": count, "hq_token": 1}
    tokens, x = both(SAM, config, workload, b, own, image, where, sparse, dense)
    x = enlarged(b, x)
    y = convolution(b, "mask_conv1", x, quarter, 3, padding=1, bias=True)
    y = b.apply("gelu", norm_of_channels(b, "mask_norm", y), name="mask_activation")
    y = convolution(b, "mask_conv2", y, eighth, 3, padding=1, bias=True)
    y = b.apply("add", y, fine, name="upscaled_fine")
    names = tuple(f"output_hypernetworks_mlps.{index}" for index in range(count))
    rows = rows_of(b, tokens, 1, (*names, "hq_mask_mlp"), width)
    parts = b.apply("split", rows, name="rows_parts", sizes=(count, 1), dim=2)
    masks, best = drawn(b, parts[0], x, "masks"), drawn(b, parts[1], y, "hq_mask")
    quality = b.apply("select", tokens, name="quality_token", dim=2)
    with b.scope("iou_prediction_head"):
        scores = perceptron(b, quality, config.iou_head_hidden_dim, count, config.iou_head_depth)
    scores = b.apply("slice", scores, name="scores_of_masks", dim=2, start=1, length=count - 1)
    scores, order = b.apply("sort", scores, name="iou_scores", dim=2)
    masks = b.apply("slice", masks, name="masks_alone", dim=2, start=1, length=count - 1)
    places = b.apply("reshape", order, name="order_column", shape=(*order.spec.shape, 1, 1))
    places = b.apply("expand", places, name="order_of_pixels", shape=masks.spec.shape)
    masks = b.apply("gather", masks, places, name="masks_sorted", dim=2)
    return scores, b.apply("add", masks, best, name="pred_masks")


def widened(b: Builder, x: Value, names: tuple[str, str, str], width: Dim, out: Dim) -> Value:
    """Returns a map four times as large with `out` channels, by two convolutions of these names with a norm between."""
    x = transposed(b, names[0], x, width, 2, stride=2)
    x = b.apply("gelu", norm_of_channels(b, names[1], x), name=f"{names[1]}_activation")
    return transposed(b, names[2], x, out, 2, stride=2)


def idle(config: HQMaskConfig, b: Builder) -> None:
    """Adds what would read the encoder's early map."""
    width, narrow = config.hidden_size, exact_div(config.hidden_size, 8, "hidden_size / 8")
    shapes: dict[str, tuple[tuple[Dim, ...], tuple[Dim, ...]]]
    shapes = {"compress_vit_conv1": ((config.vit_dim, width, 2, 2), (width,))}
    shapes |= {"compress_vit_conv2": ((width, narrow, 2, 2), (narrow,)), "compress_vit_norm": ((width,), (width,))}
    for name, (weight, bias) in shapes.items():
        resident(b, name, b.parameter(f"{name}.weight", weight), b.parameter(f"{name}.bias", bias))


ARCHITECTURE = family(
    "sam_hq",
    SamHQConfig,
    PresetFiles(__file__),
    "SAM-HQ: SAM with one more mask, drawn with maps of the encoder.",
    decoded,
)
