"""LLaVA: the tokens of a CLIP tower, of a layer before its last, through two linear layers into any decoder.

Liu et al., 2023 (arXiv:2304.08485, arXiv:2310.03744).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import attrs

from graphacct import Builder, PresetFiles, SubModel, Value, Workload, fields
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition, layer_indices, own_or_text
from graphacct_architectures.multimodal.parts.projector import Activated, Linear, Step, projected
from graphacct_architectures.multimodal.parts.towers import looked, vision_model

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


@attrs.frozen(kw_only=True)
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
    images = Part("images", partial(features, config, root, steps))
    return Composition(text, (images,), f"{root}language_model", tied=own_or_text(config))


def features(config: Any, root: str, steps: Sequence[Step], workload: Workload, b: Builder) -> Value:
    """Returns the rows of all images, (images, tokens, width): the layers that are read beside one another, with or
    without the class token, through the projector."""
    with b.scope(f"{root}vision_tower"):
        read = looked(config.vision_config, of_images(workload), b, config.vision_feature_layer)
    if config.vision_feature_select_strategy == "default":
        read = tuple(without_first(b, x, f"patches_{i}") for i, x in enumerate(read))
    x = b.apply("concat", *read, name="features", dim=-1) if len(read) > 1 else read[0]
    with b.scope(f"{root}multi_modal_projector"):
        return projected(b, steps, x)


def of_images(workload: Workload) -> Workload:
    """Returns the workload of a tower: all images of all sequences at a time."""
    return attrs.evolve(workload, batch=workload.batch * workload.images)


def without_first(b: Builder, x: Value, name: str) -> Value:
    """Returns an image's tokens without the first, the class token: a view."""
    y: Value = b.apply("slice", x, name=name, dim=1, start=1, length=x.spec.shape[1] - 1)
    return y


ARCHITECTURE = composition(
    "llava",
    LlavaConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    doc="LLaVA 1.5: a CLIP tower, two linear layers, any decoder.",
)
