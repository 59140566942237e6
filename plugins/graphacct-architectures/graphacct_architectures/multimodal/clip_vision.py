"""CLIP's image tower on its own, as other models use it: Radford et al., 2021 (arXiv:2103.00020)."""

from __future__ import annotations

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.layers import linear
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.multimodal.clip import VisionConfig, images

VISION, PROJECTED = "CLIPVisionModel", "CLIPVisionModelWithProjection"


@frozen(kw_only=True)
class CLIPVisionConfig(VisionConfig):
    """The image tower's keys, its class and the width of its projection."""

    architectures: str = fields.model_class(VISION, (VISION, PROJECTED))
    projection_dim: Dim = fields.size(512)
    dtype: str | None = fields.dtype()


def build(config: CLIPVisionConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images to their tokens and the class token, or to its projection and the tokens."""
    if config.architectures == VISION:
        return images(config, workload, b)
    with b.scope("vision_model"):
        tokens, first = images(config, workload, b)
    return linear(b, "visual_projection", first, config.projection_dim, bias=False), tokens


ARCHITECTURE = Architecture(
    "clip_vision_model",
    CLIPVisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={"vocab_size": None, "dropout": None},  # of older files
    model_types=("clip_vision_model",),
    losses=SUM_ALONE,
    doc="CLIP's tower for images alone, with or without its projection.",
)
