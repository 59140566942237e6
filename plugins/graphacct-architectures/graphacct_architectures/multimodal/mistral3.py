"""Mistral 3 with images: Pixtral's patches, normalized, four as one, through two linear layers into Mistral.

Mistral AI, 2025 (Mistral Small 3.1).
"""

from __future__ import annotations

from typing import Any

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    fields,
    floor_div,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition, layer_indices
from graphacct_architectures.multimodal.parts.images import of_images
from graphacct_architectures.multimodal.parts.projector import Activated, Linear, projected
from graphacct_architectures.multimodal.parts.towers import looked, vision_model

CLASSES = ("Mistral3ForConditionalGeneration", "Mistral3Model")
TEXT = {
    "head_dim": 128,
    "hidden_size": 5120,
    "intermediate_size": 32768,
    "max_position_embeddings": 131072,
    "num_attention_heads": 32,
    "num_hidden_layers": 40,
    "num_key_value_heads": 8,
    "sliding_window": None,
    "vocab_size": 131072,
}
VISION = {
    "intermediate_size": 4096,
    "hidden_size": 1024,
    "patch_size": 14,
    "image_size": 1540,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
}
"""The text model and the tower of a file without them."""


@frozen(kw_only=True)
class Mistral3Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("pixtral", VISION)
    text_config: SubModel = text_model("mistral", TEXT)
    projector_hidden_act: str = activation("gelu")
    vision_feature_layer: tuple[int, ...] = layer_indices(-1)
    multimodal_projector_bias: bool = fields.flag(False)
    spatial_merge_size: Dim = fields.size(2)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def compose(config: Mistral3Config, root: str) -> Composition:
    """Returns Mistral, and its images through the tower, the merger and two linear layers."""
    tower = config.vision_config
    if tower.architecture.name != "pixtral":
        raise ConfigError(f"vision_config.model_type is {tower.architecture.name!r}: Mistral 3 reads pixtral's patches")
    if len(config.vision_feature_layer) > 1:
        raise ConfigError(f"vision_feature_layer is {list(config.vision_feature_layer)}: Mistral 3 reads one layer")
    projector = Projector(
        "vision_tower",
        "multi_modal_projector",
        config.vision_feature_layer,
        ACTIVATIONS[config.projector_hidden_act],
        config.multimodal_projector_bias,
    )
    return through(projector, config, root)


@frozen
class Projector:
    """A norm, squares of patches as one, and two linear layers.

    Attributes:
        tower, module: The modules of the tower and of this.
        layers: The tower's layer that is read.
        operators: The activation.
        bias: Whether the linear layers have biases.
    """

    tower: str
    module: str
    layers: tuple[int, ...]
    operators: str
    bias: bool


def through(p: Projector, config: Any, root: str) -> Composition:
    """Returns a decoder and its images through pixtral's tower and this projector."""
    tower, text = config.vision_config, described(config.text_config)
    steps = (Linear("linear_1", text.width, p.bias), Activated(p.operators), Linear("linear_2", text.width, p.bias))

    def rows(workload: Workload, b: Builder) -> Value:
        images = of_images(workload)
        with b.scope(f"{root}{p.tower}"):
            (x,) = looked(tower, images, b, p.layers)
        with b.scope(f"{root}{p.module}"):
            x = normed_by(b, "norm", x, Norm())
            with b.scope("patch_merger"):
                x = merged(config, images, b, x)
            return projected(b, steps, x)

    return Composition(text, (Part("images", rows),), f"{root}language_model", tied=config.tie_word_embeddings)


def merged(config: Any, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns one row for each square of patches: (squares, width). Patches beyond whole squares are left out."""
    tower, merge = config.vision_config.config, config.spatial_merge_size
    width = tower.hidden_size
    assert workload.image_size is not None
    rows, columns = (floor_div(side, step) for side, step in zip(workload.image_size, tower.patch_size, strict=True))
    high, wide = floor_div(rows, merge), floor_div(columns, merge)
    x = b.apply("reshape", x, name="grid", shape=(workload.batch, rows, columns, width))
    for dim, (length, whole) in enumerate(((rows, high * merge), (columns, wide * merge)), 1):
        if has_value(length) and length != whole:
            x = b.apply("slice", x, name=f"whole_{dim}", dim=dim, start=0, length=whole)
    x = b.apply("reshape", x, name="squares", shape=(workload.batch, high, merge, wide, merge, width))
    x = b.apply("permute", x, name="width_first", dims=(0, 1, 3, 5, 2, 4))
    x = b.apply("reshape", x, name="unfolded", shape=(workload.batch * high * wide, width * merge**2))
    return linear(b, "merging_layer", x, width, bias=False)


def size(config: Any) -> Any:
    """Returns the size of an image: the tower's."""
    return config.vision_config.config.image_size


ARCHITECTURE = composition(
    "mistral3",
    Mistral3Config,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=size,
    doc="Mistral 3 with images: Pixtral's tower, four patches as one, two linear layers, Mistral.",
)
