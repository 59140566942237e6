"""ViTPose: a map of where each joint of a body is, from a ViT (Xu et al., 2022, arXiv:2204.12484)."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.losses import SUM_ALONE

from graphacct import Architecture, Builder, Dim, PresetFiles, SubModel, Value, Workload, fields, floor_div, frozen
from graphacct_vision.parts.inner_backbone import backbone, maps
from graphacct_vision.parts.layers import batch_norm, convolution, resized

CLASSES = ("VitPoseForPoseEstimation",)
DEFAULT: dict[str, Any] = {"out_indices": [4]}
HIDDEN = 256


@frozen(kw_only=True)
class VitPoseConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone_config: SubModel = backbone("vitpose_backbone", DEFAULT)
    scale_factor: int = fields.size(4)
    use_simple_decoder: bool = fields.flag(True)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()


def build(config: VitPoseConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to a map of each joint."""
    assert workload.image_size is not None  # the architecture declares its default
    inner = config.backbone_config.config
    pixels = b.input("pixel_values", (workload.batch, inner.num_channels, *workload.image_size))
    with b.scope("backbone"):
        x = maps(config.backbone_config, workload, b, pixels)[-1]
    batch, _, width = x.spec.shape
    grid = [floor_div(side, step) for side, step in zip(inner.image_size, inner.patch_size, strict=True)]
    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    x = b.apply("contiguous", b.apply("reshape", x, name="places", shape=(batch, width, *grid)), name="map")
    with b.scope("head"):
        if config.use_simple_decoder:
            size = tuple(side * config.scale_factor for side in grid)
            x = resized(b, "upsampling", b.apply("relu", x, name="activation"), size)
            return convolution(b, "conv", x, config.num_labels, 3, padding=1, bias=True)
        for place in (1, 2):
            weight = b.parameter(f"deconv{place}.weight", (x.spec.shape[1], HIDDEN, 4, 4))
            x = b.apply("convolution_transposed", x, weight, name=f"deconv{place}", stride=2, padding=1)
            x = batch_norm(b, f"batchnorm{place}", x, training=workload.phase == "train")
            x = b.apply("relu", x, name=f"relu{place}")
        return convolution(b, "conv", x, config.num_labels, bias=True)


ARCHITECTURE = Architecture(
    "vitpose",
    VitPoseConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.backbone_config.config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost=dict.fromkeys(("edges", "backbone", "use_timm_backbone", "use_pretrained_backbone", "backbone_kwargs")),
    model_types=("vitpose",),
    losses=SUM_ALONE,
    doc="ViTPose: a map of where each joint of a body is, from a ViT.",
)
