"""HunyuanOCR: a grid of patches into Hunyuan.

Tencent Hunyuan Team, 2025 (HunyuanOCR).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import SubModel, fields, frozen
from graphacct_architectures.decoders.hunyuan_vl_text import HunyuanVLTextConfig
from graphacct_architectures.multimodal.hunyuan_vl_vision import describe
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.family import own_or_text
from graphacct_architectures.multimodal.parts.grid import Grid
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, nested_text, whole

CLASSES = ("HunYuanVLForConditionalGeneration", "HunYuanVLModel")
OLDER = ("xdrope_section", "alpha")
"""Settings of the older kind `xdrope`, which say how positions are turned, not how many dimensions."""


def older_kind(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the keys of a text model whose rotary settings are of the kind `xdrope`, or have a factor `alpha`: the
    default one, in other words."""
    result = dict(content)
    for key in ("rope_parameters", "rope_scaling"):
        said = result.get(key)
        if isinstance(said, Mapping) and any(name in said for name in (*OLDER, "mrope_section")):
            rest = {name: value for name, value in said.items() if name not in OLDER}
            result[key] = {**rest, **{name: "default" for name in ("rope_type", "type") if name in said}}
    return result


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = grid_model("hunyuan_vl_vision", always=True)
    text_config: SubModel = text_model("hunyuan_vl_text", always=True, prepare=older_kind)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def tower(config: Config) -> Grid:
    """Returns the tower, whose tokens have the text's width whatever its file says."""
    return describe(attrs.evolve(config.vision_config.config, text_hidden_size=described(config.text_config).width))


ARCHITECTURE = whole(
    "hunyuan_vl",
    Config,
    __file__,
    classes=CLASSES,
    films=False,
    tied=own_or_text,
    prepare=nested_text(HunyuanVLTextConfig),
    module="vision_tower",
    tower=tower,
    no_cost=dict.fromkeys(("im_start_id", "im_end_id", "im_newline_id")),
    doc="HunyuanOCR: a grid of patches into Hunyuan.",
)
