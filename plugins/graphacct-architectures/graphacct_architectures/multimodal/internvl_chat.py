"""InternVL 1.5 to 3.5 as their authors' code has them, and models like them: InternViT, four patches as one, two linear
layers, any decoder with its own head.

Chen et al., 2024 (arXiv:2404.16821, arXiv:2412.05271). The authors' files name the towers and decoders; the tensors'
names are those of their code (github.com/OpenGVLab/InternVL, internvl_chat/internvl/model/internvl_chat).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from graphacct import ConfigError, Dim, PresetFiles, SubModel, fields, frozen
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.multimodal.internvl import ratio
from graphacct_architectures.multimodal.parts.compose import Composition, described, text_model
from graphacct_architectures.multimodal.parts.family import ONE_TILE, composition, layer_indices
from graphacct_architectures.multimodal.parts.images import seen
from graphacct_architectures.multimodal.parts.projector import Activated, Linear, Normed, Shuffled
from graphacct_architectures.multimodal.parts.towers import vision_model

CHAT = "InternVLChatModel"
NO_COST: Mapping[str, tuple[Any, ...] | None] = {
    **dict.fromkeys(("template", "dynamic_image_size", "use_thumbnail", "ps_version", "min_dynamic_patch")),
    **dict.fromkeys(("max_dynamic_patch", "pad2square", "use_msac", "system_message", "img_context_token_id")),
    **dict.fromkeys(("image_fold", "output_attentions", "hidden_size")),
    **{"use_backbone_lora": (0,), "use_llm_lora": (0,)},
}
"""Keys that say how pictures are cut, and adapters that were merged."""


@frozen(kw_only=True)
class InternVLChatConfig:
    """The keys of the published config.json that the cost depends on."""

    wide: ClassVar[bool] = False
    """Whether the projector is as wide as the text's network, without biases (NVLM-D)."""
    module: ClassVar[str] = "vision_model"
    """The tower's module."""
    class_token: ClassVar[bool] = True
    """Whether the tower has a class token, which is left out."""

    architectures: str = fields.model_class(CHAT, (CHAT,))
    vision_config: SubModel = vision_model("intern_vit_6b", always=True)
    text_config: SubModel = text_model("llama")
    select_layer: tuple[int, ...] = layer_indices(-1)
    force_image_size: Dim | None = fields.optional_size()
    downsample_ratio: float = ratio()
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def compose(config: InternVLChatConfig, root: str) -> Composition:
    """Returns a decoder with its own head, and its images through the tower, four patches as one, and two layers."""
    if len(config.select_layer) > 1:
        raise ConfigError(f"select_layer is {list(config.select_layer)}: InternVL reads one layer")
    text = described(config.text_config)
    inner = config.text_config.config.intermediate_size if config.wide else text.width
    steps = (
        Shuffled(int(1 / config.downsample_ratio)),
        Normed("0", Norm(LAYER_NORM, bias=True)),
        Linear("1", inner, not config.wide),
        Activated("gelu", "2"),
        Linear("3", text.width, not config.wide),
    )
    layers = () if config.select_layer == (-1,) else config.select_layer
    tower = config.vision_config
    images = seen(tower, "", steps, layers=layers, cropped=config.class_token, module=config.module, projector="mlp1")
    return Composition(text, (images,), "language_model", own_head=True)


def size(config: Any) -> Any:
    """Returns the size of a tile: as the file says, or the tower's."""
    side = config.force_image_size
    return config.vision_config.config.image_size if side is None else (side, side)


ARCHITECTURE = composition(
    "internvl_chat",
    InternVLChatConfig,
    compose,
    PresetFiles(__file__),
    classes=(CHAT, ""),
    image_size=size,
    sizes=ONE_TILE,
    aliases={"llm_config": "text_config"},
    no_cost=NO_COST,
    doc="InternVL's authors' files: InternViT, four patches as one, two linear layers, any decoder.",
)
