"""Qianfan-OCR: InternVL with Qwen3.

Baidu Qianfan Team, 2026 (Qianfan-OCR).
"""

from __future__ import annotations

from graphacct import PresetFiles, SubModel, fields, frozen
from graphacct_architectures.multimodal.internvl import InternVLConfig, compose
from graphacct_architectures.multimodal.parts.compose import text_model
from graphacct_architectures.multimodal.parts.family import ONE_TILE, composition
from graphacct_architectures.multimodal.parts.towers import vision_model

CLASSES = ("QianfanOCRForConditionalGeneration", "QianfanOCRModel")


@frozen(kw_only=True)
class QianfanOCRConfig(InternVLConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("qianfan_ocr_vision", always=True)
    text_config: SubModel = text_model("qwen3")
    tie_word_embeddings: bool = fields.flag(False)


ARCHITECTURE = composition(
    "qianfan_ocr",
    QianfanOCRConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    sizes=ONE_TILE,
    doc="Qianfan-OCR: a ViT, four patches as one, two linear layers, Qwen3.",
)
