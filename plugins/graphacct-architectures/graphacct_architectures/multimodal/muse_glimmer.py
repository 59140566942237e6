"""Muse Glimmer: a grid of patches, squares of them through three linear layers and a norm, into a decoder with gated
attention.

Meta, 2026 (Muse Glimmer).
"""

from __future__ import annotations

from graphacct import Builder, ConfigError, Dim, SubModel, Value, differ, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import described, text_model
from graphacct_architectures.multimodal.parts.grid import Extent
from graphacct_architectures.multimodal.parts.qwen_vl import grid_model, whole

CLASSES = ("MuseGlimmerForConditionalGeneration", "MuseGlimmerModel")


@frozen(kw_only=True)
class Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = grid_model("muse_glimmer_vision", always=True)
    text_config: SubModel = text_model("muse_glimmer_text", always=True)
    out_hidden_size: Dim = fields.size(6144)
    projector_hidden_size: Dim = fields.size(4096)
    projector_hidden_act: str = activation("gelu")
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def project(config: Config, b: Builder, x: Value, extent: Extent) -> Value:
    """Returns the rows of the text's width."""
    if differ(x.spec.shape[-1], config.out_hidden_size):
        own = x.spec.shape[-1]
        raise ConfigError(
            f"out_hidden_size is {config.out_hidden_size}, and the tower's tokens are {own} wide: they have to agree"
        )
    operators, width = ACTIVATIONS[config.projector_hidden_act], config.projector_hidden_size
    with b.scope("vision_adapter"):
        x = activated(b, operators, linear(b, "fc1", x, width, bias=False), "act_1")
        x = activated(b, operators, linear(b, "fc2", x, width, bias=False), "act_2")
    x = linear(b, "vision_projection", x, described(config.text_config).width, bias=False)
    return normed_by(b, "perception_emb_norm", x, Norm(weight=False, upcast="all"))


ARCHITECTURE = whole(
    "muse_glimmer",
    Config,
    __file__,
    classes=CLASSES,
    tied=lambda config: config.tie_word_embeddings,
    sectioned=False,
    capped=True,
    module="vision_tower",
    project=project,
    doc="Muse Glimmer: a grid of patches through three linear layers into a decoder with gated attention.",
)
