"""Qwen3-VL: a grid of patches into Qwen3, whose first layers get tokens of their own.

Bai et al., 2025 (arXiv:2511.21631).
"""

from __future__ import annotations

from graphacct import SubModel, fields, frozen
from graphacct_architectures.multimodal.parts.compose import text_model
from graphacct_architectures.multimodal.parts.qwen_vl import sections_left_out, whole

CLASSES = ("Qwen3VLForConditionalGeneration", "Qwen3VLModel")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = fields.model("qwen3_vl_vision", always=True)
    text_config: SubModel = text_model("qwen3_vl_text", always=True, prepare=sections_left_out)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


ARCHITECTURE = whole(
    "qwen3_vl",
    Config,
    __file__,
    classes=CLASSES,
    tied=lambda config: config.tie_word_embeddings,
    doc="Qwen3-VL: a grid of patches into Qwen3, whose first layers get tokens of their own.",
)
