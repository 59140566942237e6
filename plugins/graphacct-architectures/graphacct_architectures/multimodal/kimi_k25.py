"""Kimi K2.5: MoonViT's squares of patches through two linear layers into DeepSeek-V3's layers.

Kimi Team, "Kimi K2.5", 2026; names and order as in the transformers library's Kimi_K25ForConditionalGeneration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, SubModel, Value, differ, fields, frozen
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.grid import Extent
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, whole

CLASSES = ("Kimi_K25ForConditionalGeneration", "Kimi_K25Model")
REPOSITORY = "KimiK25ForConditionalGeneration"
"""The class of the model's repository, whose files are read as the library's class reads them."""


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = grid_model("kimi_k25_vision", always=True)
    text_config: SubModel = text_model("deepseek_v3", always=True)
    projection_hidden_size: Dim = fields.size(1152)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def prepare(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a file with the class and the text's type as the library has them."""
    content = dict(content)
    if content.get("architectures") == [REPOSITORY]:
        content["architectures"] = [CLASSES[0]]
    text, vision = content.get("text_config"), content.get("vision_config")
    if isinstance(text, Mapping) and text.get("model_type") == "kimi_k2":
        content["text_config"] = {**text, "model_type": "deepseek_v3"}
    if isinstance(vision, Mapping) and "projection_hidden_size" not in content and "mm_hidden_size" in vision:
        content["projection_hidden_size"] = vision["mm_hidden_size"]
    return content


def project(config: Config, b: Builder, x: Value, extent: Extent) -> Value:
    """Returns the text's rows (squares, width) of squares (squares, merge², width): each patch normalized, then two
    linear layers."""
    squares, merge, width = x.spec.shape
    if differ(config.projection_hidden_size, width):
        raise ConfigError(
            f"projection_hidden_size is {config.projection_hidden_size}, the tower's hidden_size {width}: the "
            "projector normalizes the tower's patches"
        )
    with b.scope("mm_projector"):
        x = normed_by(b, "pre_norm", x, Norm(LAYER_NORM, bias=True))
        x = b.apply("reshape", x, name="squares", shape=(squares, merge * width))
        x = b.apply("gelu", linear(b, "in_proj", x, merge * width), name="act")
        return linear(b, "out_proj", x, described(config.text_config).width)


SAVED_BYTES = "saved tensors of the tower's interpolated positions are lower than the class's"

WHOLE = whole(
    "kimi_k25",
    Config,
    __file__,
    classes=CLASSES,
    tied=lambda config: config.tie_word_embeddings,
    prepare=prepare,
    sectioned=False,
    module="vision_tower",
    project=project,
    no_cost=dict.fromkeys(
        ("use_unified_vision_chunk", "video_placeholder", "media_placeholder_token_id", "projection_layer_norm_eps")
    ),
    doc="Kimi K2.5: MoonViT's squares of patches into DeepSeek-V3's layers.",
)
ARCHITECTURE = attrs.evolve(
    WHOLE,
    inexact=lambda config, workload, dtype: (
        *(WHOLE.inexact(config, workload, dtype) if WHOLE.inexact else ()),
        *((SAVED_BYTES,) if workload.images else ()),
    ),
)
