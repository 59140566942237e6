"""LightOnOCR: Pixtral's patches, normalized, four as one, through two linear layers into Qwen3.

LightOn, 2025 (LightOnOCR).
"""

from __future__ import annotations

from graphacct import ConfigError, Dim, PresetFiles, SubModel, fields, frozen
from graphacct_architectures.multimodal.mistral3 import VISION, Projector, size, through
from graphacct_architectures.multimodal.parts.compose import Composition, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.towers import vision_model

CLASSES = ("LightOnOcrForConditionalGeneration", "LightOnOcrModel")
OLDER = {"LightOnOCRForConditionalGeneration": CLASSES[0]}
"""The name of the class in files that are older than the library's."""
TEXT = {
    "head_dim": 128,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "max_position_embeddings": 40960,
    "num_attention_heads": 16,
    "num_hidden_layers": 28,
    "num_key_value_heads": 8,
    "vocab_size": 151936,
}
"""The text model of a file without one."""


@frozen(kw_only=True)
class LightOnOcrConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES, OLDER)
    vision_config: SubModel = vision_model("pixtral", {**VISION, "hidden_act": "silu"})
    text_config: SubModel = text_model("qwen3", TEXT)
    spatial_merge_size: Dim = fields.size(2)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def compose(config: LightOnOcrConfig, root: str) -> Composition:
    """Returns a decoder, and its images through the tower, the merger and two linear layers."""
    name = config.vision_config.architecture.name
    if name != "pixtral":
        raise ConfigError(f"vision_config.model_type is {name!r}: LightOnOCR reads pixtral's patches")
    return through(Projector("vision_encoder", "vision_projection", (-1,), "gelu", False), config, root)


ARCHITECTURE = composition(
    "lighton_ocr",
    LightOnOcrConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=size,
    doc="LightOnOCR: Pixtral's tower, four patches as one, two linear layers, Qwen3.",
)
