"""PaliGemma: the last hidden state of a SigLIP tower through one linear layer into Gemma.

Beyer et al., 2024 (arXiv:2407.07726).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, SubModel, fields, frozen
from graphacct_architectures.multimodal.parts.compose import Composition, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import seen
from graphacct_architectures.multimodal.parts.projector import Linear
from graphacct_architectures.multimodal.parts.towers import vision_model

CLASSES = ("PaliGemmaForConditionalGeneration", "PaliGemmaModel")
VISION = {
    "intermediate_size": 4096,
    "hidden_size": 1152,
    "patch_size": 14,
    "image_size": 224,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "vision_use_head": False,
}
TEXT = {
    "hidden_size": 2048,
    "num_hidden_layers": 18,
    "intermediate_size": 16384,
    "num_attention_heads": 8,
    "num_key_value_heads": 1,
    "vocab_size": 257152,
}
"""The tower and the text model of a file without them."""


@frozen(kw_only=True)
class PaliGemmaConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("siglip_vision_model", VISION)
    text_config: SubModel = text_model("gemma", TEXT, absent={"use_bidirectional_attention": True})
    projection_dim: Dim = fields.size(2048)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def compose(config: PaliGemmaConfig, root: str) -> Composition:
    """Returns Gemma, and its images through the tower and one linear layer."""
    images = seen(config.vision_config, root, (Linear("linear", config.projection_dim),))
    text = described(config.text_config)
    return Composition(text, (images,), f"{root}language_model", tied=config.tie_word_embeddings, softcap=True)


ARCHITECTURE = composition(
    "paligemma",
    PaliGemmaConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    doc="PaliGemma 1 and 2: a SigLIP tower, one linear layer, Gemma or Gemma 2.",
)
