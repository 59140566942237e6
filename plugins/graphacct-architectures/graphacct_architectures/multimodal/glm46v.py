"""GLM-4.6V: GLM-4.1V's tower into one of GLM-4V's text models.

GLM-V Team, 2025 (arXiv:2507.01006).
"""

from __future__ import annotations

from graphacct import SubModel, fields, frozen
from graphacct_architectures.multimodal.parts.compose import text_model
from graphacct_architectures.multimodal.parts.family import own_or_text
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, sections_left_out, whole

CLASSES = ("Glm46VForConditionalGeneration", "Glm46VModel")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = grid_model("glm4v_vision")
    text_config: SubModel = text_model("glm4v_text", prepare=sections_left_out)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


ARCHITECTURE = whole(
    "glm46v",
    Config,
    __file__,
    classes=CLASSES,
    tied=own_or_text,
    doc="GLM-4.6V: GLM-4.1V's tower into one of GLM-4V's text models.",
)
