"""dots.ocr: a grid of patches into Qwen2.

Li et al., 2025 (arXiv:2512.02498); names as in the model's repository, whose code the class is.
"""

from __future__ import annotations

from graphacct import Builder, PresetFiles, SubModel, Value, Workload, fields, frozen
from graphacct_architectures.decoders.qwen2 import Qwen2Config
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition, own_or_text
from graphacct_architectures.multimodal.parts.grid import grid_rows
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, grid_of, nested_text, usual_size

HEADED = "DotsOCRForCausalLM"


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(HEADED, (HEADED,))
    vision_config: SubModel = grid_model("dots_vit", always=True)
    text_config: SubModel = text_model("qwen2", always=True)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def compose(config: Config, root: str) -> Composition:
    """Returns Qwen2, and its images through the tower."""

    def rows(workload: Workload, b: Builder) -> Value:
        assert workload.images is not None  # the architecture declares its default
        with b.scope("vision_tower"):
            x, *_ = grid_rows(grid_of(config.vision_config), workload, b, workload.batch * workload.images)
        return x

    return Composition(described(config.text_config), (Part("images", rows),), "model", tied=own_or_text(config))


ARCHITECTURE = composition(
    "dots_ocr",
    Config,
    compose,
    PresetFiles(__file__),
    classes=(HEADED, ""),
    image_size=lambda config: usual_size(config.vision_config.config),
    prepare=nested_text(Qwen2Config),
    no_cost={"rope_scaling": None, "rope_theta": None, "attention_bias": (True,)},
    doc="dots.ocr: a grid of patches into Qwen2.",
)
