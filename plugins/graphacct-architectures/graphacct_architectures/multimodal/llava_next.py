"""LLaVA-NeXT: LLaVA for pictures of any size, each seen as a whole and in squares.

Liu et al., 2024 (LLaVA-NeXT); Granite Vision (arXiv:2502.09927) reads several layers of a SigLIP tower.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct import PresetFiles, SubModel, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.multimodal.llava import VISION
from graphacct_architectures.multimodal.parts.anyres import AnySize, Film, pictures, resolutions
from graphacct_architectures.multimodal.parts.compose import Composition, described, text_model
from graphacct_architectures.multimodal.parts.family import composition, layer_indices
from graphacct_architectures.multimodal.parts.projector import Activated, Linear, Step
from graphacct_architectures.multimodal.parts.towers import vision_model

CLASSES = ("LlavaNextForConditionalGeneration", "LlavaNextModel")
RESOLUTIONS = ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008))


@frozen(kw_only=True)
class LlavaNextConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("clip_vision_model", VISION)
    text_config: SubModel = text_model("llama")
    projector_hidden_act: str = activation("gelu")
    vision_feature_select_strategy: str = fields.choice("default", ("default", "full"))
    vision_feature_layer: tuple[int, ...] = layer_indices(-2)
    multimodal_projector_bias: bool = fields.flag(True)
    image_grid_pinpoints: tuple[tuple[int, int], ...] = resolutions(RESOLUTIONS)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def pictured(
    config: Any, root: str, sizes: AnySize, *, tied: bool, film: Film | None = None, steps: Sequence[Step] = ()
) -> Composition:
    """Returns a decoder, and its pictures through the tower and two linear layers, or other steps; or films."""
    text = described(config.text_config)
    bias = config.multimodal_projector_bias
    steps = steps or (
        Linear("linear_1", text.width, bias),
        Activated(ACTIVATIONS[config.projector_hidden_act]),
        Linear("linear_2", text.width, bias),
    )
    images = pictures(
        sizes,
        root,
        steps,
        text.width,
        layers=config.vision_feature_layer,
        cropped=config.vision_feature_select_strategy == "default",
        film=film,
    )
    return Composition(text, (images,), f"{root}language_model", tied=tied)


def compose(config: LlavaNextConfig, root: str) -> Composition:
    """Returns a decoder and its pictures."""
    sizes = AnySize(config.vision_config, config.image_grid_pinpoints)
    return pictured(config, root, sizes, tied=config.tie_word_embeddings)


ARCHITECTURE = composition(
    "llava_next",
    LlavaNextConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    sizes={"tiles": lambda config: None},
    no_cost={"use_image_newline_parameter": None},
    doc="LLaVA-NeXT (1.6): pictures of any size in squares through a tower, two linear layers, any decoder.",
)
