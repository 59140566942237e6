"""Command A Vision: the tokens of a SigLIP tower, four as one, through a gated network into Cohere's decoder.

Cohere, 2025 (Command A Vision).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, SubModel, fields, floor_div, frozen
from graphacct_architectures.multimodal.parts.compose import Composition, described, text_model
from graphacct_architectures.multimodal.parts.family import ONE_TILE, composition
from graphacct_architectures.multimodal.parts.images import seen
from graphacct_architectures.multimodal.parts.projector import Gated, Linear, Shuffled
from graphacct_architectures.multimodal.parts.towers import vision_model

CLASSES = ("Cohere2VisionForConditionalGeneration", "Cohere2VisionModel")
VISION = {
    "hidden_size": 1152,
    "intermediate_size": 3072,
    "image_size": 512,
    "num_hidden_layers": 27,
    "num_attention_heads": 12,
}
"""The tower of a file without one."""


@frozen(kw_only=True)
class Cohere2VisionConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("siglip_vision_model", VISION)
    text_config: SubModel = text_model("cohere2")
    downsample_factor: Dim = fields.size(2)
    alignment_intermediate_size: Dim = fields.size(36864)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def compose(config: Cohere2VisionConfig, root: str) -> Composition:
    """Returns Cohere's decoder, and its images through the tower, four tokens as one, and a gated network."""
    text = described(config.text_config)
    steps = (
        Shuffled(config.downsample_factor),
        Linear("linear_1", 2 * floor_div(config.alignment_intermediate_size, 2)),
        Gated("silu"),
        Linear("linear_2", text.width),
    )
    images = seen(config.vision_config, root, steps)
    return Composition(text, (images,), f"{root}language_model", tied=config.tie_word_embeddings)


ARCHITECTURE = composition(
    "cohere2_vision",
    Cohere2VisionConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    sizes=ONE_TILE,
    doc="Command A Vision: a SigLIP tower, four tokens as one, a gated network, Cohere's decoder.",
)
