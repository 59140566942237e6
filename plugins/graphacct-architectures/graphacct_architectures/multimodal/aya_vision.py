"""Aya Vision: the tokens of a SigLIP tower, four as one, through a gated network into Cohere's decoder.

Dash et al., 2025 (arXiv:2505.08751).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, SubModel, fields, floor_div, frozen
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.parts.compose import Composition, described, text_model
from graphacct_architectures.multimodal.parts.family import ONE_TILE, composition, layer_indices
from graphacct_architectures.multimodal.parts.images import seen
from graphacct_architectures.multimodal.parts.projector import Gated, Linear, Normed, Shuffled
from graphacct_architectures.multimodal.parts.towers import vision_model

CLASSES = ("AyaVisionForConditionalGeneration", "AyaVisionModel")
VISION = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "patch_size": 14,
    "image_size": 384,
    "num_hidden_layers": 26,
    "num_attention_heads": 14,
    "vision_use_head": False,
}
"""The tower of a file without one."""


@frozen(kw_only=True)
class AyaVisionConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("siglip_vision_model", VISION)
    text_config: SubModel = text_model("cohere2")
    vision_feature_select_strategy: str = fields.choice("full", ("default", "full"))
    vision_feature_layer: tuple[int, ...] = layer_indices(-1)
    downsample_factor: Dim = fields.size(2)
    alignment_intermediate_size: Dim | None = fields.optional_size()
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def compose(config: AyaVisionConfig, root: str) -> Composition:
    """Returns Cohere's decoder, and its images through the tower, four tokens as one, and a gated network."""
    text = described(config.text_config)
    inner = text.width if config.alignment_intermediate_size is None else config.alignment_intermediate_size
    steps = (
        Shuffled(config.downsample_factor),
        Normed("layernorm", Norm(LAYER_NORM, bias=True)),
        Linear("linear_1", 2 * floor_div(inner, 2)),
        Gated("silu"),
        Linear("linear_2", text.width),
    )
    images = seen(
        config.vision_config,
        root,
        steps,
        layers=config.vision_feature_layer,
        cropped=config.vision_feature_select_strategy == "default",
    )
    return Composition(text, (images,), f"{root}language_model", tied=config.tie_word_embeddings)


ARCHITECTURE = composition(
    "aya_vision",
    AyaVisionConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    sizes=ONE_TILE,
    doc="Aya Vision: a SigLIP tower, four tokens as one, a gated network, Cohere's decoder.",
)
