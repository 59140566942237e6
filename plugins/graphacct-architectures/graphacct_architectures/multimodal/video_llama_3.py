"""VideoLLaMA 3: a grid of patches through two linear layers into Qwen2.

Zhang et al., 2025 (arXiv:2501.13106).
"""

from __future__ import annotations

from graphacct import Builder, SubModel, Value, fields, frozen
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.family import own_or_text
from graphacct_architectures.multimodal.parts.grid import Extent
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, whole

CLASSES = ("VideoLlama3ForConditionalGeneration", "VideoLlama3Model")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = grid_model("video_llama_3_vision", always=True)
    text_config: SubModel = text_model("qwen2")
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def project(config: Config, b: Builder, x: Value, extent: Extent) -> Value:
    """Returns the rows of the text's width."""
    width = described(config.text_config).width
    with b.scope("projector.readout"):
        return linear(b, "2", b.apply("gelu", linear(b, "0", x, width), name="1"), width)


ARCHITECTURE = whole(
    "video_llama_3",
    Config,
    __file__,
    classes=CLASSES,
    tied=own_or_text,
    sectioned=False,
    module="vision_model",
    project=project,
    doc="VideoLLaMA 3: a grid of patches through two linear layers into Qwen2.",
)
