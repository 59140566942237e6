"""Qwen3.5: a grid of patches into gated delta networks with gated attention in every fourth layer.

Qwen Team, 2026 (Qwen3.5).
"""

from __future__ import annotations

from graphacct import SubModel, fields, frozen
from graphacct_architectures.multimodal.parts.compose import text_model
from graphacct_architectures.multimodal.parts.qwen_vl import sections_left_out, whole

CLASSES = ("Qwen3_5ForConditionalGeneration", "Qwen3_5Model")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = fields.model("qwen3_5_vision", always=True)
    text_config: SubModel = text_model("qwen3_5_text", always=True, prepare=sections_left_out)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


ARCHITECTURE = whole(
    "qwen3_5",
    Config,
    __file__,
    classes=CLASSES,
    inner_classes={"Qwen3_5ForCausalLM": "text_config"},
    tied=lambda config: config.tie_word_embeddings,
    doc="Qwen3.5: a grid of patches into gated delta networks with gated attention in every fourth layer.",
)
