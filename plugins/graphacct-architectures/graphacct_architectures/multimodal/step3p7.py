"""Step 3.7: patches, sixteen of them as one, through one linear layer into Step 3.5's layers.

StepFun, 2026 (Step 3.7).
"""

from __future__ import annotations

import attrs

from graphacct import Builder, SubModel, Value, Workload, fields, frozen
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.grid import Extent
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, whole

CLASSES = ("Step3p7ForConditionalGeneration", "Step3p7Model")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = grid_model("step3p5_vision", always=True)
    text_config: SubModel = text_model("step3p5", always=True)
    projector_bias: bool = fields.flag(False)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def project(config: Config, b: Builder, x: Value, extent: Extent) -> Value:
    """Returns the rows of the text's width."""
    width = described(config.text_config).width
    return linear(b, "multi_modal_projector", x, width, bias=config.projector_bias)


def size(config: Config) -> object:
    """Returns the size of an image: the tower's."""
    side = config.vision_config.config.image_size
    return side, side


FOUND = whole(
    "step3p7",
    Config,
    __file__,
    classes=CLASSES,
    films=False,
    tied=lambda config: config.tie_word_embeddings,
    sectioned=False,
    module="vision_model",
    project=project,
    doc="Step 3.7: patches, sixteen of them as one, through one linear layer into Step 3.5's layers.",
)


def unmeasured(config: Config, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not exact: the library's class looks at data, so that no step of it was measured."""
    known = () if FOUND.inexact is None else tuple(FOUND.inexact(config, workload, dtype))
    return (*known, "saved tensors were not measured: the library's class looks at data")


ARCHITECTURE = attrs.evolve(FOUND, sizes={**FOUND.sizes, "image_size": size}, inexact=unmeasured)
