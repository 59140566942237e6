"""GLM-OCR: a grid of patches into a small GLM-4.

GLM-V Team, 2026 (GLM-OCR).
"""

from __future__ import annotations

from graphacct import SubModel, fields, frozen
from graphacct_architectures.multimodal.parts.compose import text_model
from graphacct_architectures.multimodal.parts.family import own_or_text
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, sections_left_out, whole

CLASSES = ("GlmOcrForConditionalGeneration", "GlmOcrModel")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = grid_model("glm_ocr_vision", always=True)
    text_config: SubModel = text_model("glm_ocr_text", always=True, prepare=sections_left_out)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


ARCHITECTURE = whole(
    "glm_ocr",
    Config,
    __file__,
    classes=CLASSES,
    tied=own_or_text,
    doc="GLM-OCR: a grid of patches into a small GLM-4.",
)
