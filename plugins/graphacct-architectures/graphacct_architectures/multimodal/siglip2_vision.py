"""SigLIP 2's image tower on its own, as other models use it: Tschannen et al., 2025 (arXiv:2502.14786)."""

from __future__ import annotations

from graphacct import Architecture, Builder, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.multimodal.siglip2 import VisionConfig, images, usual_size

VISION = "Siglip2VisionModel"


@frozen(kw_only=True)
class Siglip2VisionConfig(VisionConfig):
    """The image tower's keys and its class."""

    architectures: str = fields.model_class(VISION, (VISION,))
    dtype: str | None = fields.dtype()


def build(config: Siglip2VisionConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images to their patches, and to what the head makes of them if there is one."""
    tokens, pooled = images(config, workload, b)
    return (tokens,) if pooled is None else (tokens, pooled)


ARCHITECTURE = Architecture(
    "siglip2_vision_model",
    Siglip2VisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": usual_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={"image_size": None},
    model_types=("siglip2_vision_model",),
    losses=SUM_ALONE,
    doc="SigLIP 2's tower for images alone.",
)
