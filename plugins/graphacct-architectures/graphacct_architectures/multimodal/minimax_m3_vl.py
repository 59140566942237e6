"""MiniMax M3 with images: a grid of patches, each through two linear layers and squares of them through two more, into
MiniMax M3's decoder.

MiniMax, 2026 (MiniMax-M3).
"""

from __future__ import annotations

from graphacct import Builder, Dim, SubModel, Value, exact_div, fields, frozen
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.family import own_or_text
from graphacct_architectures.multimodal.parts.grid import Extent
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, whole

CLASSES = ("MiniMaxM3SparseForConditionalGeneration", "MiniMaxM3VLModel")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = grid_model("minimax_m3_vl_vision", always=True)
    text_config: SubModel = text_model("minimax_m3_vl_text", always=True)
    projector_hidden_size: Dim = fields.size(6144)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def project(config: Config, b: Builder, x: Value, extent: Extent) -> Value:
    """Returns one row of the text's width for each square of patches, which lie one after another."""
    width, hidden = described(config.text_config).width, config.projector_hidden_size
    square = config.vision_config.config.spatial_merge_size**2
    with b.scope("multi_modal_projector"):
        x = linear(b, "linear_2", b.apply("gelu", linear(b, "linear_1", x, hidden), name="act"), width)
        shape = (exact_div(extent.count, square, "patches / spatial_merge_size²"), square * width)
        x = b.apply("reshape", x, name="squares", shape=shape)
        return linear(
            b, "merge_linear_2", b.apply("gelu", linear(b, "merge_linear_1", x, hidden), name="merge_act"), width
        )


ARCHITECTURE = whole(
    "minimax_m3_vl",
    Config,
    __file__,
    classes=CLASSES,
    tied=own_or_text,
    sectioned=False,
    module="vision_tower",
    project=project,
    inner_classes={"MiniMaxM3VLForCausalLM": "text_config"},
    no_cost=dict.fromkeys(("img_token_compression_config", "process_image_mode", "image_grid_pinpoints")),
    doc="MiniMax M3 with images: a grid of patches through four linear layers into MiniMax M3's decoder.",
)
