"""DeepSeek-VL: the tokens of a SigLIP tower through two linear layers into LLaMA.

Lu et al., 2024 (arXiv:2403.05525).
"""

from __future__ import annotations

from graphacct import PresetFiles, SubModel, fields, frozen
from graphacct_architectures.multimodal.parts.compose import Composition, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import seen
from graphacct_architectures.multimodal.parts.projector import Activated, Linear
from graphacct_architectures.multimodal.parts.towers import vision_model

CLASSES = ("DeepseekVLForConditionalGeneration", "DeepseekVLModel")


@frozen(kw_only=True)
class DeepseekVLConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("siglip_vision_model")
    text_config: SubModel = text_model("llama")
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def compose(config: DeepseekVLConfig, root: str) -> Composition:
    """Returns a decoder, and its images through the tower and two linear layers."""
    text = described(config.text_config)
    steps = (Linear("linear1", text.width), Activated("gelu", "activation"), Linear("linear2", text.width))
    images = seen(config.vision_config, root, steps, module="vision_model", projector="aligner")
    return Composition(text, (images,), f"{root}language_model", tied=config.tie_word_embeddings)


ARCHITECTURE = composition(
    "deepseek_vl",
    DeepseekVLConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    doc="DeepSeek-VL: a SigLIP tower, two linear layers, any decoder.",
)
