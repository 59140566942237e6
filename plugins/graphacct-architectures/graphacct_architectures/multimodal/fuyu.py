"""Fuyu: patches of images of any size through one linear layer into Persimmon; there is no tower.

Adept, "Fuyu-8B", 2023.
"""

from __future__ import annotations

from graphacct import Builder, Dim, PresetFiles, SubModel, Value, Workload, exact_div, fields, frozen
from graphacct_architectures.decoders.persimmon import PersimmonConfig
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.qwen_vl import nested_text

CLASSES = ("FuyuForCausalLM", "FuyuModel")


@frozen(kw_only=True)
class FuyuConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    text_config: SubModel = text_model("persimmon")
    image_size: Dim = fields.size(300)
    patch_size: Dim = fields.size(30)
    num_channels: Dim = fields.size(3)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def compose(config: FuyuConfig, root: str) -> Composition:
    """Returns a decoder, and the patches of its images."""
    text = described(config.text_config)

    def rows(workload: Workload, b: Builder) -> Value:
        assert workload.images is not None  # the architecture declares its default, of both
        assert workload.image_size is not None
        step = config.patch_size
        high, wide = (exact_div(side, step, "image_size / patch_size") for side in workload.image_size)
        shape = (workload.batch, workload.images * high * wide, config.num_channels * step * step)
        with b.scope(root.removesuffix(".")):
            return linear(b, "vision_embed_tokens", b.input("pixel_values", shape), text.width)

    return Composition(text, (Part("images", rows),), f"{root}language_model", tied=config.tie_word_embeddings)


ARCHITECTURE = composition(
    "fuyu",
    FuyuConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: (config.image_size, config.image_size),
    prepare=nested_text(PersimmonConfig),
    no_cost=dict.fromkeys(("rope_scaling", "rope_theta", "rope_parameters")),
    doc="Fuyu: patches of images through one linear layer into Persimmon.",
)
