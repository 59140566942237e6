"""Unlimited-OCR, which has DeepSeek-OCR's parts: SAM's image encoder, CLIP's layers over its tokens, both beside each
other, and a text model of experts.

Wei et al., 2025 (arXiv:2510.18234). An image is the view of the whole page; crops of it, which the class can take
besides, are not modelled.
"""

from __future__ import annotations

from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal import (
    ClipLayers,
    Composition,
    Part,
    composition,
    described,
    of_images,
    square_side,
    text_model,
    through_clip,
)

from graphacct import Builder, ConfigError, Dim, PresetFiles, SubModel, Value, Workload, differ, fields, frozen
from graphacct_vision.multimodal.got_ocr2 import flattened
from graphacct_vision.multimodal.ocr_encoder import SamConfig, channels, narrowed

CLASSES = ("UnlimitedOcrForConditionalGeneration", "UnlimitedOcrModel")
OLDER = {"UnlimitedOCRForCausalLM": CLASSES[0]}


@frozen(kw_only=True)
class InnerSam(SamConfig):
    """The image encoder's keys that the cost depends on."""

    mlp_dim: Dim | None = fields.optional_size(3072)
    downsample_channels: tuple[Dim, ...] = channels((512, 1024))


@frozen(kw_only=True)
class VisionConfig:
    """The keys of what sees an image."""

    sam_config: InnerSam | None = fields.nested(InnerSam, "unlimited_ocr")
    encoder_config: ClipLayers | None = fields.nested(ClipLayers, "unlimited_ocr")

    @property
    def sam(self) -> InnerSam:
        """The image encoder."""
        return self.sam_config or InnerSam()

    @property
    def encoder(self) -> ClipLayers:
        """CLIP's layers."""
        return self.encoder_config or ClipLayers()


@frozen(kw_only=True)
class UnlimitedOcrConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES, OLDER)
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "unlimited_ocr")
    text_config: SubModel = text_model("unlimited_ocr_text", always=True)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()

    @property
    def vision(self) -> VisionConfig:
        """What sees an image."""
        return self.vision_config or VisionConfig()


def compose(config: UnlimitedOcrConfig, root: str) -> Composition:
    """Returns the decoder, and its images: each row of tokens ends in a learned one, and each image in another."""
    text = described(config.text_config)

    def rows(workload: Workload, b: Builder) -> Value:
        images = of_images(workload)
        with b.scope(f"{root}vision_tower"):
            x = seen(config.vision, images, b)
        with b.scope(root.removesuffix(".")):
            x = linear(b, "multi_modal_projector", x, text.width)
            side = square_side(x.spec.shape[1])
            line, own = (b.parameter(name, (text.width,)) for name in ("image_newline", "view_separator"))
            x = b.apply("reshape", x, name="grid", shape=(images.batch, side, side, text.width))
            lines = b.apply("expand", line, name="newlines", shape=(images.batch, side, 1, text.width))
            x = b.apply("concat", x, lines, name="with_newlines", dim=2)
            x = b.apply("reshape", x, name="rows_joined", shape=(images.batch, side * (side + 1), text.width))
            ends = b.apply("expand", own, name="separators", shape=(images.batch, 1, text.width))
            return b.apply("concat", x, ends, name="with_separator", dim=1)

    return Composition(text, (Part("images", rows),), f"{root}language_model", tied=config.tie_word_embeddings)


def seen(c: VisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the tokens of images, CLIP's beside the image encoder's."""
    with b.scope("sam_encoder"):
        first = flattened(b, narrowed(c.sam, workload, b, "vision_config.sam_config.image_size"))
    _, tokens, given = first.spec.shape
    inner, width = c.encoder, c.encoder.hidden_size
    if differ(width, given):
        raise ConfigError(
            f"vision_config.encoder_config.hidden_size is {width}, and the image's tokens are {given} wide "
            "(sam_config.downsample_channels): they have to agree"
        )
    if differ(inner.count, tokens):
        raise ConfigError(
            f"an image has {tokens} tokens, and vision_config.encoder_config has learned places for {inner.count} "
            "(image_size, patch_size): others, between which the class interpolates, are not modelled"
        )
    with b.scope("vision_encoder"):
        x = through_clip(inner, workload, b, first)
    found: Value = b.apply("concat", x, first, name="both", dim=-1)
    return found


ARCHITECTURE = composition(
    "unlimited_ocr",
    UnlimitedOcrConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: (config.vision.sam.image_size,) * 2,
    aliases={"language_config": "text_config"},
    doc="Unlimited-OCR: SAM's image encoder and CLIP's layers beside each other, a text model of experts.",
)
