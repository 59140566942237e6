"""InternVL: the patches of a ViT, four as one, through two linear layers into any decoder.

Chen et al., 2024 (arXiv:2404.16821); Zhu et al., 2025 (arXiv:2504.10479).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, PresetFiles, SubModel, brief, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.parts.compose import Composition, described, text_model
from graphacct_architectures.multimodal.parts.family import ONE_TILE, composition, layer_indices
from graphacct_architectures.multimodal.parts.images import seen
from graphacct_architectures.multimodal.parts.projector import Activated, Linear, Normed, Shuffled
from graphacct_architectures.multimodal.parts.towers import vision_model

CLASSES = ("InternVLForConditionalGeneration", "InternVLModel")


def ratio() -> Any:
    """Returns the part of a side's tokens that is left: one over a whole number."""

    def check(value: Any, field: attrs.Attribute[Any]) -> float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1
        if not number or 1 / value != int(1 / value):
            raise ConfigError(f"{field.name} is one over a whole number, as 0.5, not {brief(value)}")
        return float(value)

    return fields.checked_field(check, 0.5)


@frozen(kw_only=True)
class InternVLConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("internvl_vision", always=True)
    text_config: SubModel = text_model("qwen2")
    downsample_ratio: float = ratio()
    projector_hidden_act: str = activation("gelu")
    vision_feature_layer: tuple[int, ...] = layer_indices(-1)
    vision_feature_select_strategy: str = fields.choice("default", ("default", "full"))
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def compose(config: InternVLConfig, root: str) -> Composition:
    """Returns a decoder, and its images through the tower, four patches as one, and two linear layers."""
    if len(config.vision_feature_layer) > 1:
        raise ConfigError(f"vision_feature_layer is {list(config.vision_feature_layer)}: InternVL reads one layer")
    text = described(config.text_config)
    steps = (
        Shuffled(int(1 / config.downsample_ratio)),
        Normed("layer_norm", Norm(LAYER_NORM, bias=True)),
        Linear("linear_1", text.width),
        Activated(ACTIVATIONS[config.projector_hidden_act]),
        Linear("linear_2", text.width),
    )
    layers = config.vision_feature_layer
    cropped = config.vision_feature_select_strategy == "default"
    images = seen(config.vision_config, root, steps, layers=() if layers == (-1,) else layers, cropped=cropped)
    return Composition(text, (images,), f"{root}language_model", tied=config.tie_word_embeddings)


ARCHITECTURE = composition(
    "internvl",
    InternVLConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    sizes=ONE_TILE,
    doc="InternVL 2.5 and 3: a ViT, four patches as one, two linear layers, any decoder.",
)
