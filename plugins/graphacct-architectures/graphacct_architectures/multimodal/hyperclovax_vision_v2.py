"""HyperCLOVA X SEED Think with images: Qwen2.5-VL's tower and one linear layer into HyperCLOVA X.

NAVER, 2025 (HyperCLOVA X SEED 32B Think).
"""

from __future__ import annotations

import attrs

from graphacct import Builder, SubModel, Value, fields, frozen
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.grid import Extent
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, whole

CLASSES = ("HyperCLOVAXVisionV2ForConditionalGeneration", "HyperCLOVAXVisionV2Model")
OLDER = {"HCXVisionV2ForCausalLM": CLASSES[0]}


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES, OLDER)
    vision_config: SubModel = grid_model("qwen2_5_vl_vision", renamed={"qwen2_5_vl": "qwen2_5_vl_vision"})
    text_config: SubModel = text_model("hyperclovax")
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def project(config: Config, b: Builder, x: Value, extent: Extent) -> Value:
    """Returns the text's rows of the tower's tokens."""
    return linear(b, "projector", x, described(config.text_config).width)


ARCHITECTURE = attrs.evolve(
    whole(
        "hyperclovax_vision_v2",
        Config,
        __file__,
        classes=CLASSES,
        tied=lambda config: config.tie_word_embeddings,
        sectioned=False,
        module="vision_model",
        project=project,
        capped=True,
        doc="HyperCLOVA X SEED Think with images: Qwen2.5-VL's tower, one linear layer, HyperCLOVA X.",
    ),
    model_types=("hyperclovax_vision_v2", "vlm"),
)
