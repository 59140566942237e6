"""Qwen3-Omni's thinker, which reads: chunks of sound, a grid of patches, Qwen3 with experts.

Xu et al., 2025 (arXiv:2509.17765).
"""

from __future__ import annotations

from graphacct import SubModel, fields, frozen
from graphacct_architectures.multimodal.parts.compose import text_model
from graphacct_architectures.multimodal.parts.omni import Whole, thinker
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, sections_left_out
from graphacct_architectures.multimodal.parts.sounds import audio_model

CLASSES = ("Qwen3OmniMoeThinkerForConditionalGeneration", "Qwen3OmniMoeThinkerModel")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    audio_config: SubModel = audio_model("qwen3_omni_moe_audio_encoder", always=True)
    vision_config: SubModel = grid_model("qwen3_omni_moe_vision_encoder", always=True)
    text_config: SubModel = text_model("qwen3_omni_moe_text", always=True, prepare=sections_left_out)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


ARCHITECTURE = thinker(
    "qwen3_omni_moe_thinker",
    Config,
    __file__,
    classes=CLASSES,
    whole=Whole(
        "qwen3_omni_moe",
        ("Qwen3OmniMoeForConditionalGeneration",),
        {
            "talker_config": "the talker, which writes codes of speech (talker_config): the thinker is counted",
            "code2wav_config": "what makes sound of the talker's codes (code2wav_config)",
        },
    ),
    doc="Qwen3-Omni's thinker: chunks of sound, a grid of patches, Qwen3-MoE.",
)
