"""OpenCUA: Qwen2.5-VL's tower into Qwen2, whose tokens are rotated by their place alone.

Wang et al., 2025 (arXiv:2508.09123); names as in the model's repository, whose code the class is.
"""

from __future__ import annotations

from graphacct import Builder, PresetFiles, SubModel, Value, Workload, fields, frozen
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.grid import grid_rows
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, grid_of, usual_size

HEADED = "OpenCUAForConditionalGeneration"
TEXT = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "max_position_embeddings": 128000,
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
}
VISION = {"hidden_size": 1280}
"""The text model and the tower of a file without them: Qwen2.5-VL's of 7 billion parameters, which it was made of."""


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(HEADED, (HEADED,))
    vision_config: SubModel = grid_model("qwen2_5_vl_vision", keys=VISION, always=True)
    text_config: SubModel = text_model("qwen2", TEXT, always=True)
    dtype: str | None = fields.dtype()


def compose(config: Config, root: str) -> Composition:
    """Returns Qwen2 with its own head, and its images through the tower."""

    def rows(workload: Workload, b: Builder) -> Value:
        assert workload.images is not None  # the architecture declares its default
        with b.scope("vision_tower"):
            x, *_ = grid_rows(grid_of(config.vision_config), workload, b, workload.batch * workload.images)
        return x

    return Composition(described(config.text_config), (Part("images", rows),), "language_model", own_head=True)


ARCHITECTURE = composition(
    "opencua",
    Config,
    compose,
    PresetFiles(__file__),
    classes=(HEADED, ""),
    image_size=lambda config: usual_size(config.vision_config.config),
    no_cost=dict.fromkeys(("media_placeholder_token_id", "tie_word_embeddings")),
    doc="OpenCUA: Qwen2.5-VL's tower into Qwen2.",
)
