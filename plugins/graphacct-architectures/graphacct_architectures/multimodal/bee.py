"""Bee: LLaVA-OneVision with a norm before the projector, which is four times as wide as the text.

Zhang et al., 2025 (arXiv:2510.13795). The class is in the authors' files alone; the tensors' names are those that vLLM
reads.
"""

from __future__ import annotations

from graphacct import PresetFiles, SubModel, fields, frozen
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.llava_next import pictured
from graphacct_architectures.multimodal.llava_onevision import ANYRES, VISION, LlavaOnevisionConfig
from graphacct_architectures.multimodal.parts.anyres import AnySize
from graphacct_architectures.multimodal.parts.compose import Composition, described, text_model
from graphacct_architectures.multimodal.parts.family import composition, own_or_text
from graphacct_architectures.multimodal.parts.projector import Activated, Linear, Normed
from graphacct_architectures.multimodal.parts.towers import vision_model

GENERATION = "BeeForConditionalGeneration"
TIMES = 4
"""How many times as wide as the text the projector is."""


@frozen(kw_only=True)
class BeeConfig(LlavaOnevisionConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(GENERATION, (GENERATION,))
    vision_config: SubModel = vision_model("siglip_vision_model", VISION)
    text_config: SubModel = text_model("qwen3")


def compose(config: BeeConfig, root: str) -> Composition:
    """Returns a decoder, and its pictures through the tower, a norm and two wide layers."""
    width = described(config.text_config).width
    steps = (
        Normed("pre_norm", Norm(LAYER_NORM, bias=True)),
        Linear("linear_1", TIMES * width),
        Activated("gelu"),
        Linear("linear_2", width),
    )
    most = int(config.vision_aspect_ratio.removeprefix(ANYRES))
    sizes = AnySize(config.vision_config, config.image_grid_pinpoints, most, alone=True)
    return pictured(config, root, sizes, tied=own_or_text(config), steps=steps)


ARCHITECTURE = composition(
    "bee",
    BeeConfig,
    compose,
    PresetFiles(__file__),
    classes=(GENERATION, ""),
    image_size=lambda config: config.vision_config.config.image_size,
    sizes={"tiles": lambda config: None},
    no_cost={"video_token_index": None},
    model_types=("Bee", "bee"),
    doc="Bee: LLaVA-OneVision's pictures through a norm and a projector four times as wide as the text.",
)
