"""EXAONE 4.5: a grid of patches, seen in windows, into EXAONE 4.

LG AI Research, 2026 (EXAONE 4.5).
"""

from __future__ import annotations

from graphacct import SubModel, fields, frozen
from graphacct_architectures.multimodal.parts.compose import text_model
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, whole

CLASSES = ("Exaone4_5_ForConditionalGeneration", "Exaone4_5_Model")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = grid_model("exaone4_5_vision", always=True)
    text_config: SubModel = text_model("exaone4", renamed={"exaone4_5_text": "exaone4"})
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


ARCHITECTURE = whole(
    "exaone4_5",
    Config,
    __file__,
    classes=CLASSES,
    tied=lambda config: config.tie_word_embeddings,
    sectioned=False,
    doc="EXAONE 4.5: a grid of patches, seen in windows, into EXAONE 4.",
)
