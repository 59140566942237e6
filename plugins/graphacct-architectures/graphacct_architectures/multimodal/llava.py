"""LLaVA: the tokens of a CLIP tower, of a layer before its last, through two linear layers into any decoder.

Liu et al., 2023 (arXiv:2304.08485, arXiv:2310.03744).
"""

from __future__ import annotations

from graphacct import PresetFiles, SubModel, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.multimodal.parts.compose import Composition, described, text_model
from graphacct_architectures.multimodal.parts.family import composition, layer_indices, own_or_text
from graphacct_architectures.multimodal.parts.images import seen
from graphacct_architectures.multimodal.parts.projector import Activated, Linear
from graphacct_architectures.multimodal.parts.towers import vision_model

CLASSES = ("LlavaForConditionalGeneration", "LlavaModel")
VISION = {
    "intermediate_size": 4096,
    "hidden_size": 1024,
    "patch_size": 14,
    "image_size": 336,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "projection_dim": 768,
}
"""The tower of a file without one."""


@frozen(kw_only=True)
class LlavaConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("clip_vision_model", VISION)
    text_config: SubModel = text_model("llama")
    projector_hidden_act: str = activation("gelu")
    vision_feature_select_strategy: str = fields.choice("default", ("default", "full"))
    vision_feature_layer: tuple[int, ...] = layer_indices(-2)
    multimodal_projector_bias: bool = fields.flag(True)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def compose(config: LlavaConfig, root: str) -> Composition:
    """Returns a decoder, and its images through the tower and two linear layers."""
    text = described(config.text_config)
    bias = config.multimodal_projector_bias
    steps = (
        Linear("linear_1", text.width, bias),
        Activated(ACTIVATIONS[config.projector_hidden_act]),
        Linear("linear_2", text.width, bias),
    )
    images = seen(
        config.vision_config,
        root,
        steps,
        layers=config.vision_feature_layer,
        cropped=config.vision_feature_select_strategy == "default",
    )
    return Composition(text, (images,), f"{root}language_model", tied=own_or_text(config))


ARCHITECTURE = composition(
    "llava",
    LlavaConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    doc="LLaVA 1.5: a CLIP tower, two linear layers, any decoder.",
)
