"""Qwen2.5-VL: a grid of patches, seen in windows, into Qwen2.5.

Bai et al., 2025 (arXiv:2502.13923).
"""

from __future__ import annotations

from graphacct import SubModel, fields, frozen
from graphacct_architectures.decoders.qwen2 import Qwen2Config
from graphacct_architectures.multimodal.parts.compose import text_model
from graphacct_architectures.multimodal.parts.family import own_or_text
from graphacct_architectures.multimodal.parts.qwen_vl import nested_text, sections_left_out, whole

CLASSES = ("Qwen2_5_VLForConditionalGeneration", "Qwen2_5_VLModel")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = fields.model("qwen2_5_vl_vision", always=True)
    text_config: SubModel = text_model("qwen2_5_vl_text", always=True, prepare=sections_left_out)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


ARCHITECTURE = whole(
    "qwen2_5_vl",
    Config,
    __file__,
    classes=CLASSES,
    tied=own_or_text,
    prepare=nested_text(Qwen2Config),
    doc="Qwen2.5-VL: a grid of patches, seen in windows, into Qwen2.5.",
)
