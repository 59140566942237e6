"""Eagle 2.5: InternVL's projector behind a SigLIP tower, Qwen2 with its own head.

Chen et al., 2025 (arXiv:2504.15271). The class is in the authors' files alone; the tensors' names are those that vLLM
reads, and the tower has no pooling head there.
"""

from __future__ import annotations

from typing import ClassVar

from graphacct import PresetFiles, SubModel, fields, frozen
from graphacct_architectures.multimodal.internvl_chat import NO_COST, InternVLChatConfig, compose, size
from graphacct_architectures.multimodal.parts.compose import text_model
from graphacct_architectures.multimodal.parts.family import ONE_TILE, composition
from graphacct_architectures.multimodal.parts.towers import vision_model

GENERATION = "Eagle2_5_VLForConditionalGeneration"


@frozen(kw_only=True)
class Eagle25Config(InternVLChatConfig):
    """The keys of the published config.json that the cost depends on."""

    module: ClassVar[str] = "vision_model.vision_model"
    class_token: ClassVar[bool] = False

    architectures: str = fields.model_class(GENERATION, (GENERATION,))
    vision_config: SubModel = vision_model(
        "siglip_vision_model", always=True, prepare=lambda keys: {**keys, "vision_use_head": False}
    )
    text_config: SubModel = text_model("qwen2")


ARCHITECTURE = composition(
    "eagle_2_5_vl",
    Eagle25Config,
    compose,
    PresetFiles(__file__),
    classes=(GENERATION, ""),
    image_size=size,
    sizes=ONE_TILE,
    aliases={"llm_config": "text_config"},
    no_cost={**NO_COST, "use_pixel_shuffle": (True,), "mlp_connector_layers": (2,), "loss_version": None},
    doc="Eagle 2.5: a SigLIP tower, four patches as one, two linear layers, Qwen2.",
)
