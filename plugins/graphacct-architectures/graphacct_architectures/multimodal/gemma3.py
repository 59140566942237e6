"""Gemma 3 with images: the tokens of a SigLIP tower, averaged in squares, normalized, multiplied with one matrix.

Gemma Team, 2025 (arXiv:2503.19786).
"""

from __future__ import annotations

from math import isqrt

from graphacct import ConfigError, Dim, PresetFiles, SubModel, fields, floor_div, frozen, has_value
from graphacct_architectures.decoders.gemma import CENTRED
from graphacct_architectures.multimodal.parts.compose import Composition, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import seen
from graphacct_architectures.multimodal.parts.projector import Normed, Pooled, Product
from graphacct_architectures.multimodal.parts.towers import vision_model

CLASSES = ("Gemma3ForConditionalGeneration", "Gemma3Model")
LABELLED = "Gemma3ForSequenceClassification"


@frozen(kw_only=True)
class Gemma3Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], (*CLASSES, LABELLED))
    vision_config: SubModel = vision_model("siglip_vision_model")
    text_config: SubModel = text_model("gemma3_text", always=True)
    mm_tokens_per_image: Dim = fields.size(256)
    tie_word_embeddings: bool = fields.flag(True)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()


def compose(config: Gemma3Config, root: str) -> Composition:
    """Returns Gemma 3, and its images through the tower and the projector."""
    text = described(config.text_config)
    steps = (
        Pooled(kernel(config)),
        Normed("mm_soft_emb_norm", CENTRED),
        Product("mm_input_projection_weight", text.width),
    )
    images = seen(config.vision_config, root, steps)
    return Composition(text, (images,), f"{root}language_model", tied=config.tie_word_embeddings)


def kernel(config: Gemma3Config) -> Dim:
    """Returns the side of the squares of tokens that are averaged. Raises ConfigError for more tokens than patches."""
    if type(config.mm_tokens_per_image) is not int:
        raise ConfigError(f"mm_tokens_per_image is {config.mm_tokens_per_image}: it is a square, so give a number")
    tower = config.vision_config.config
    side = floor_div(tower.image_size[0], tower.patch_size[0])
    count = isqrt(config.mm_tokens_per_image)
    if has_value(side) and side < count:
        raise ConfigError(
            f"mm_tokens_per_image is {config.mm_tokens_per_image}, {count} a side; an image has {side} patches a side"
        )
    return floor_div(side, count)


ARCHITECTURE = composition(
    "gemma3",
    Gemma3Config,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    aliases=fields.LABELS,
    labelled=LABELLED,
    doc="Gemma 3 with images: a SigLIP tower, means of squares of tokens, Gemma 3's decoder.",
)
