"""ViP-LLaVA: the patches of several layers of a CLIP tower, normalized, through two linear layers into any decoder.

Cai et al., 2024 (arXiv:2312.00784).
"""

from __future__ import annotations

from graphacct import PresetFiles, SubModel, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.llava import VISION
from graphacct_architectures.multimodal.parts.compose import Composition, described, text_model
from graphacct_architectures.multimodal.parts.family import composition, layer_indices
from graphacct_architectures.multimodal.parts.images import seen
from graphacct_architectures.multimodal.parts.projector import Activated, Linear, Normed
from graphacct_architectures.multimodal.parts.towers import vision_model

CLASSES = ("VipLlavaForConditionalGeneration", "VipLlavaModel")


@frozen(kw_only=True)
class VipLlavaConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("clip_vision_model", VISION)
    text_config: SubModel = text_model("llama")
    projector_hidden_act: str = activation("gelu")
    vision_feature_layer: tuple[int, ...] = layer_indices((-2, -5, -8, -11, 6))
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def compose(config: VipLlavaConfig, root: str) -> Composition:
    """Returns a decoder, and its images through the tower and two linear layers."""
    text = described(config.text_config)
    steps = (
        Normed("projector_layernorm", Norm(LAYER_NORM, bias=True)),
        Linear("linear_1", text.width),
        Activated(ACTIVATIONS[config.projector_hidden_act]),
        Linear("linear_2", text.width),
    )
    images = seen(
        config.vision_config,
        root,
        steps,
        layers=config.vision_feature_layer,
        cropped=True,
    )
    return Composition(text, (images,), f"{root}language_model", tied=config.tie_word_embeddings)


ARCHITECTURE = composition(
    "vipllava",
    VipLlavaConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    aliases={"vision_feature_layers": "vision_feature_layer"},
    no_cost={"projector_layernorm_eps": None},
    doc="ViP-LLaVA: several layers of a CLIP tower, a norm, two linear layers, any decoder.",
)
