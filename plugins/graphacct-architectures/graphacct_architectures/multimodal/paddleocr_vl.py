"""PaddleOCR-VL: a grid of patches, squares of them through two linear layers, into a small ERNIE 4.5.

Cui et al., 2025 (arXiv:2510.14528).
"""

from __future__ import annotations

from graphacct import Builder, SubModel, Value, fields, frozen
from graphacct_architectures.decoders.paddleocr_vl_text import PaddleOCRTextConfig
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.family import own_or_text
from graphacct_architectures.multimodal.parts.grid import Extent
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, nested_text, sections_left_out, whole
from graphacct_architectures.multimodal.parts.siglip_grid import squares

CLASSES = ("PaddleOCRVLForConditionalGeneration", "PaddleOCRVLModel")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = grid_model("paddleocr_vl_vision", always=True)
    text_config: SubModel = text_model("paddleocr_vl_text", always=True, prepare=sections_left_out)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def project(config: Config, b: Builder, x: Value, extent: Extent) -> Value:
    """Returns one row of the text's width for each square of patches."""
    with b.scope("projector"):
        x = normed_by(b, "pre_norm", x, Norm(LAYER_NORM, bias=True))
        x = squares(b, x, extent, config.vision_config.config.spatial_merge_size)
        x = b.apply("gelu", linear(b, "linear_1", x, x.spec.shape[-1]), name="act")
        return linear(b, "linear_2", x, described(config.text_config).width)


ARCHITECTURE = whole(
    "paddleocr_vl",
    Config,
    __file__,
    classes=CLASSES,
    films=False,
    tied=own_or_text,
    prepare=nested_text(PaddleOCRTextConfig),
    project=project,
    doc="PaddleOCR-VL: a grid of patches, squares of them through two linear layers, into a small ERNIE 4.5.",
)
