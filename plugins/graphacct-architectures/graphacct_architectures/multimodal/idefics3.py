"""Idefics3 and SmolVLM: a SigLIP tower for images of any size, squares of tokens as one, one linear layer, any decoder.

Laurençon et al., 2024 (arXiv:2408.12637); Marafioti et al., 2025 (arXiv:2504.05299).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, SubModel, fields, frozen
from graphacct_architectures.multimodal.parts.compose import Composition, described, text_model
from graphacct_architectures.multimodal.parts.family import ONE_TILE, composition
from graphacct_architectures.multimodal.parts.images import seen
from graphacct_architectures.multimodal.parts.projector import Linear, Shuffled
from graphacct_architectures.multimodal.parts.towers import vision_model

CLASSES = ("Idefics3ForConditionalGeneration", "Idefics3Model")


@frozen(kw_only=True)
class Idefics3Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("idefics3_vision", always=True)
    text_config: SubModel = text_model("llama")
    scale_factor: Dim = fields.size(2)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def compose(config: Idefics3Config, root: str) -> Composition:
    """Returns a decoder, and its images through the tower and the connector."""
    text = described(config.text_config)
    steps = (Shuffled(config.scale_factor), Linear("modality_projection.proj", text.width, bias=False))
    images = seen(config.vision_config, root, steps, module="vision_model", projector="connector")
    return Composition(text, (images,), f"{root}text_model", tied=config.tie_word_embeddings)


ARCHITECTURE = composition(
    "idefics3",
    Idefics3Config,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    sizes=ONE_TILE,
    doc="Idefics3 and SmolVLM: a SigLIP tower, squares of tokens as one, one linear layer, any decoder.",
)
