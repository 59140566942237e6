"""SigLIP's image tower on its own, as other models use it: Zhai et al., 2023 (arXiv:2303.15343)."""

from __future__ import annotations

from graphacct import Architecture, Builder, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.multimodal.siglip import VisionConfig, images

VISION = "SiglipVisionModel"


@frozen(kw_only=True)
class SiglipVisionConfig(VisionConfig):
    """The image tower's keys and its class."""

    architectures: str = fields.model_class(VISION, (VISION,))
    dtype: str | None = fields.dtype()


def build(config: SiglipVisionConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images to their tokens, and to what the head makes of them if there is one."""
    tokens, pooled = images(config, workload, b)
    return (tokens,) if pooled is None else (tokens, pooled)


ARCHITECTURE = Architecture(
    "siglip_vision_model",
    SiglipVisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={"vocab_size": None, "projection_dim": None, "projector_hidden_act": None, "num_image_tokens": None},
    model_types=("siglip_vision_model",),
    losses=SUM_ALONE,
    doc="SigLIP's tower for images alone.",
)
