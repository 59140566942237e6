"""Cosmos 3 Edge, as it reads images: a grid of patches, squares of them through two linear layers, into a decoder.

NVIDIA, 2026 (Cosmos 3). What generates images and actions is not in the library's class and is not counted.
"""

from __future__ import annotations

from graphacct import Builder, Dim, SubModel, Value, fields, frozen
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.grid import Extent
from graphacct_architectures.multimodal.parts.grid_ends import Merger
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, sections_left_out, whole

CLASSES = ("Cosmos3EdgeForConditionalGeneration", "Cosmos3EdgeModel")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = grid_model("cosmos3_edge_vision", always=True)
    text_config: SubModel = text_model("cosmos3_edge_text", always=True, prepare=sections_left_out)
    projector_hidden_size: Dim = fields.size(11520)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def project(config: Config, b: Builder, x: Value, extent: Extent) -> Value:
    """Returns one row of the text's width for each square of patches."""
    merger = Merger(
        config.vision_config.config.spatial_merge_size,
        described(config.text_config).width,
        Norm(LAYER_NORM, bias=True),
        "norm",
        "linear_fc1",
        "linear_fc2",
        module="projector",
        hidden=config.projector_hidden_size,
    )
    return merger(b, x, extent)


ARCHITECTURE = whole(
    "cosmos3_edge",
    Config,
    __file__,
    classes=CLASSES,
    tied=lambda config: False,  # its class shares no storage, whatever the file says
    project=project,
    doc="Cosmos 3 Edge: a grid of patches, squares of them through two linear layers, into a decoder.",
)
