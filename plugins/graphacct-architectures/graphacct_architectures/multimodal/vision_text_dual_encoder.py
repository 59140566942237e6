"""An encoder of images and an encoder of texts of any families, which say how alike each pair is, as CLIP does.

Zhai et al., 2021 (arXiv:2111.07991).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    DeclinedError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    fields,
    frozen,
)
from graphacct_architectures.layers import linear
from graphacct_architectures.losses import CROSS_ENTROPY, SUM
from graphacct_architectures.multimodal.clip import contrastive, first_total

MODEL = "VisionTextDualEncoderModel"


def tower(default: str, size: str) -> Any:
    """Returns the key of an encoder whose input is the workload's `size`."""

    def fits(architecture: Any, key: str) -> None:
        if size not in architecture.sizes or "prefill" in architecture.phases:
            raise DeclinedError(
                f"{key}.model_type is {architecture.name!r}, which is not read as a tower here: "
                f"encoders are, whose input is {size}"
            )

    return fields.model(default, fits=fits)


@frozen(kw_only=True)
class DualConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    vision_config: SubModel = tower("vit", "image_size")
    text_config: SubModel = tower("bert", "seq_len")
    projection_dim: Dim = fields.size(512)
    dtype: str | None = fields.dtype()


def build(config: DualConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images and as many texts to the similarities of each pair, by image and by text, and the
    two embeddings."""
    workload = attrs.evolve(workload, loss=SUM)
    image = pooled("vision", config.vision_config, attrs.evolve(workload, seq_len=None), b)
    text = pooled("text", config.text_config, attrs.evolve(workload, image_size=None), b)
    image = linear(b, "visual_projection", image, config.projection_dim, bias=False)
    text = linear(b, "text_projection", text, config.projection_dim, bias=False)
    b.hold(image, text)
    image, text = (unit(b, x, label) for x, label in ((image, "image"), (text, "text")))
    b.hold(image, text)
    factor = b.apply("exp", b.parameter("logit_scale", ()), name="factor")
    by_text = b.apply("matmul", text, b.apply("transpose", image, name="images", dims=(0, 1)), name="similarity")
    by_text = b.apply("mul", by_text, factor, name="logits_per_text")
    by_image = b.apply("transpose", by_text, name="logits_per_image", dims=(0, 1))
    return by_image, by_text, text, image


def pooled(label: str, model: SubModel, workload: Workload, b: Builder) -> Value:
    """Returns a tower's pooled output, (batch, width). Raises ConfigError for a tower without one."""
    with b.inside(f"{label}_model"):
        outputs = model.architecture.build(model.config, workload, b)
    if isinstance(outputs, Value) or len(outputs) < 2 or len(outputs[1].spec.shape) != 2:
        raise ConfigError(
            f"{label}_config.model_type is {model.architecture.name!r}, whose class has no pooled output to compare"
        )
    b.hold(*outputs)
    return outputs[1]


def unit(b: Builder, x: Value, label: str) -> Value:
    """Returns each row divided by its length."""
    length = b.apply("vector_norm", x, name=f"{label}_length", dim=-1, keepdim=True)
    return b.apply("div", x, length, name=f"{label}_normalised")


ARCHITECTURE = Architecture(
    "vision-text-dual-encoder",
    DualConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.text_config.architecture.sizes["seq_len"](config.text_config.config),
        "image_size": lambda config: config.vision_config.architecture.sizes["image_size"](config.vision_config.config),
    },
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    losses={CROSS_ENTROPY: contrastive, SUM: first_total},
    model_types=("vision-text-dual-encoder",),
    doc="An encoder of images and one of texts, of any families, and how alike each pair is.",
)
