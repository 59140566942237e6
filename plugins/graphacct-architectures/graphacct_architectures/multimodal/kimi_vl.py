"""Kimi-VL: MoonViT's squares of patches through two linear layers into DeepSeek-V3's layers.

Kimi Team, 2025 (arXiv:2504.07491); names as in the model's repository, whose code the class is.
"""

from __future__ import annotations

from typing import Any

from graphacct import Builder, Dim, PresetFiles, SubModel, Value, Workload, exact_div, fields, frozen
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.grid import grid_rows
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, grid_of, usual_size

HEADED = "KimiVLForConditionalGeneration"


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(HEADED, (HEADED,))
    vision_config: SubModel = grid_model("moonvit", always=True)
    text_config: SubModel = text_model("deepseek_v3")
    dtype: str | None = fields.dtype()


def compose(config: Config, root: str) -> Composition:
    """Returns a decoder with its own head, and its images through the tower and the projector."""
    text = described(config.text_config)

    def rows(workload: Workload, b: Builder) -> Value:
        assert workload.images is not None  # the architecture declares its default
        with b.scope("vision_tower"):
            x, *_ = grid_rows(grid_of(config.vision_config), workload, b, workload.batch * workload.images)
        with b.scope("multi_modal_projector"):
            return projected(config, b, x, text.width)

    return Composition(text, (Part("images", rows),), "language_model", own_head=True)


def projected(config: Config, b: Builder, x: Value, out: Dim) -> Value:
    """Returns squares (squares, width), each patch of them normalized, after two linear layers."""
    count, width = x.spec.shape
    square: Any = config.vision_config.config.spatial_merge_size**2
    x = b.apply("reshape", x, name="patches", shape=(count, square, exact_div(width, square, "square / patches")))
    x = normed_by(b, "pre_norm", x, Norm(LAYER_NORM, bias=True))
    x = b.apply("reshape", x, name="squares", shape=(count, width))
    x = b.apply("gelu", linear(b, "linear_1", x, width), name="act")
    return linear(b, "linear_2", x, out)


ARCHITECTURE = composition(
    "kimi_vl",
    Config,
    compose,
    PresetFiles(__file__),
    classes=(HEADED, ""),
    image_size=lambda config: usual_size(config.vision_config.config),
    no_cost={"tie_word_embeddings": None, "media_placeholder_token_id": None},
    doc="Kimi-VL: MoonViT's squares of patches through two linear layers into DeepSeek-V3's layers.",
)
