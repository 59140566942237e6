"""Qwen2.5-Omni's thinker, which reads: chunks of sound, a grid of patches seen in windows, Qwen2.5.

Xu et al., 2025 (arXiv:2503.20215).
"""

from __future__ import annotations

from graphacct import SubModel, fields, frozen
from graphacct_architectures.multimodal.parts.compose import text_model
from graphacct_architectures.multimodal.parts.omni import Whole, thinker
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, sections_left_out
from graphacct_architectures.multimodal.parts.sounds import audio_model

CLASSES = ("Qwen2_5OmniThinkerForConditionalGeneration", "Qwen2_5OmniThinkerModel")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    audio_config: SubModel = audio_model("qwen2_5_omni_audio_encoder", always=True)
    vision_config: SubModel = grid_model("qwen2_5_omni_vision_encoder", always=True)
    text_config: SubModel = text_model("qwen2_5_omni_text", always=True, prepare=sections_left_out)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


ARCHITECTURE = thinker(
    "qwen2_5_omni_thinker",
    Config,
    __file__,
    classes=CLASSES,
    whole=Whole(
        "qwen2_5_omni",
        ("Qwen2_5OmniForConditionalGeneration", "Qwen2_5OmniModel"),
        {
            "talker_config": "the talker, which writes codes of speech (talker_config): the thinker is counted",
            "token2wav_config": "what makes sound of the talker's codes (token2wav_config)",
        },
    ),
    doc="Qwen2.5-Omni's thinker: chunks of sound, a grid of patches seen in windows, Qwen2.5.",
)
