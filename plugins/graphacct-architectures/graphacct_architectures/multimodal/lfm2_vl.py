"""LFM2-VL: SigLIP 2's patches of images of any size, squares of them as one, through two linear layers into LFM2.

Liquid AI, 2025 (LFM2-VL).
"""

from __future__ import annotations

import attrs

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    equal,
    exact_div,
    fields,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition, inexact
from graphacct_architectures.multimodal.parts.images import of_images
from graphacct_architectures.multimodal.siglip2 import images, usual_size

CLASSES = ("Lfm2VlForConditionalGeneration", "Lfm2VlModel")


@frozen(kw_only=True)
class Lfm2VlConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = fields.model("siglip2_vision_model", always=True)
    text_config: SubModel = text_model("lfm2")
    projector_hidden_act: str = activation("gelu")
    projector_hidden_size: Dim = fields.size(2560)
    projector_bias: bool = fields.flag(True)
    projector_use_layernorm: bool = fields.flag(True)
    downsample_factor: Dim = fields.size(2)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def compose(config: Lfm2VlConfig, root: str) -> Composition:
    """Returns LFM2, and its images through the tower and the projector."""
    text = described(config.text_config)

    def rows(workload: Workload, b: Builder) -> Value:
        seen = of_images(workload)
        with b.scope(f"{root}vision_tower"):
            x, _ = images(config.vision_config.config, seen, b)
        with b.scope(f"{root}multi_modal_projector"):
            x = unshuffled(config, seen, b, x)
            if config.projector_use_layernorm:
                x = normed_by(b, "layer_norm", x, Norm(LAYER_NORM, bias=True))
            x = linear(b, "linear_1", x, config.projector_hidden_size, bias=config.projector_bias)
            x = activated(b, ACTIVATIONS[config.projector_hidden_act], x)
            return linear(b, "linear_2", x, text.width, bias=config.projector_bias)

    return Composition(text, (Part("images", rows),), f"{root}language_model", tied=config.tie_word_embeddings)


def unshuffled(config: Lfm2VlConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns squares of patches as one row each, whose width is all theirs beside one another."""
    assert workload.image_size is not None
    factor, (count, _, width) = config.downsample_factor, x.spec.shape
    step = config.vision_config.config.patch_size
    rows, columns = (exact_div(side, step, "image_size / patch_size") for side in workload.image_size)
    for side in (rows, columns):
        if has_value(side) and has_value(factor) and side % factor:
            raise ConfigError(
                f"image_size has {rows} x {columns} patches, and {factor} x {factor} become one token: give multiples "
                f"of {factor * step}"
            )
    high, wide = exact_div(rows, factor, "patches / downsample_factor"), exact_div(columns, factor, "patches / factor")
    x = b.apply("reshape", x, name="rows", shape=(count, rows, wide, width * factor))
    x = b.apply("permute", x, name="columns_first", dims=(0, 2, 1, 3))
    x = b.apply("reshape", x, name="squares", shape=(count, wide, high, width * factor**2))
    x = b.apply("permute", x, name="rows_first", dims=(0, 2, 1, 3))
    y: Value = b.apply("reshape", x, name="unshuffled", shape=(count, high * wide, width * factor**2))
    return y


def apart(config: Lfm2VlConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not exact: the class projects the patches of each image on their own."""
    known = inexact(config, workload, dtype)
    if workload.images in (None, 0) or equal(workload.batch * workload.images, 1):
        return known
    return (*known, "saved tensors of the projector are exact for one image: its class runs it for each")


FOUND = composition(
    "lfm2_vl",
    Lfm2VlConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: usual_size(config.vision_config.config),
    aliases={"tie_embedding": "tie_word_embeddings"},
    doc="LFM2-VL: SigLIP 2's patches, squares of them as one, two linear layers, LFM2.",
)
ARCHITECTURE = attrs.evolve(FOUND, inexact=apart)
