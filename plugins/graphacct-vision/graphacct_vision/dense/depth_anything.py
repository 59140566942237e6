"""Depth Anything: the depth of each place from DINOv2's tokens (Yang et al., 2024, arXiv:2401.10891)."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
from graphacct_architectures.losses import SUM_ALONE

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    exact_div,
    fields,
    floor_div,
    frozen,
)
from graphacct_vision.dense import fusion
from graphacct_vision.dense.fusion import Fusion
from graphacct_vision.parts.inner_backbone import backbone, maps
from graphacct_vision.parts.layers import convolution, resized

CLASSES = ("DepthAnythingForDepthEstimation",)
DEFAULT: dict[str, Any] = {
    "image_size": 518,
    "hidden_size": 384,
    "num_attention_heads": 6,
    "out_indices": [9, 10, 11, 12],
    "reshape_hidden_states": False,
}


@frozen(kw_only=True)
class DepthAnythingConfig:
    """The keys of the published config.json that the cost depends on."""

    PROMPTED: ClassVar[bool] = False
    """Whether each fusion has a layer for a coarse depth, and the head reads the last map and says the depth itself."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone_config: SubModel = backbone("dinov2", DEFAULT)
    patch_size: Dim = fields.size(14)
    reassemble_hidden_size: Dim = fields.size(384)
    reassemble_factors: tuple[float, ...] = fusion.factors((4, 2, 1, 0.5))
    neck_hidden_sizes: tuple[Dim, ...] = fields.counts((48, 96, 192, 384))
    fusion_hidden_size: Dim = fields.size(64)
    head_in_index: int = attrs.field(default=-1)
    head_hidden_size: Dim = fields.size(32)
    depth_estimation_type: str = fields.choice("relative", ("relative", "metric"))
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        fusion.check_maps(len(self.neck_hidden_sizes), reassemble_factors=self.reassemble_factors)
        count = len(self.neck_hidden_sizes)
        if type(self.head_in_index) is not int or not -count <= self.head_in_index < count:
            raise ConfigError(f"head_in_index is {self.head_in_index!r}: an index of one of {count} maps")
        if getattr(self.backbone_config.config, "reshape_hidden_states", True) is not False:
            raise ConfigError("backbone_config.reshape_hidden_states is false here: the neck reads tokens")


def build(config: DepthAnythingConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to the depth of each place."""
    assert workload.image_size is not None  # the architecture declares its default
    inner = config.backbone_config.config
    pixels = b.input("pixel_values", (workload.batch, inner.num_channels, *workload.image_size))
    with b.scope("backbone"):
        states = maps(config.backbone_config, workload, b, pixels)
    fusion.check_maps(len(states), neck_hidden_sizes=config.neck_hidden_sizes)
    rows, columns = (floor_div(side, config.patch_size) for side in workload.image_size)
    with b.scope("neck"):
        found = []
        for place, x in enumerate(states):
            with b.scope(f"reassemble_stage.layers.{place}"):
                x = b.apply("slice", x, name="patches", dim=1, start=1, length=x.spec.shape[1] - 1)
                x = fusion.by_place(b, x, (rows, columns), "patches")
                x = fusion.rescaled(b, x, config.neck_hidden_sizes[place], config.reassemble_factors[place])
            found.append(x)
        kind = Fusion(config.fusion_hidden_size, matched=True, prompted=config.PROMPTED)
        x = fusion.neck(kind, b, found, workload.phase == "train")[-1 if config.PROMPTED else config.head_in_index]
    half = exact_div(config.fusion_hidden_size, 2, "fusion_hidden_size / 2")
    with b.scope("head"):
        x = convolution(b, "conv1", x, half, 3, padding=1, bias=True)
        x = resized(b, "resized", x, (rows * config.patch_size, columns * config.patch_size))
        x = convolution(b, "conv2", x, config.head_hidden_size, 3, padding=1, bias=True)
        x = convolution(b, "conv3", b.apply("relu", x, name="activation1"), 1, bias=True)
        last = "relu" if config.depth_estimation_type == "relative" else "sigmoid"
        x = b.apply(last, x, name="activation2")
        x = x if config.PROMPTED else b.apply("scale", x, name="depth")
    return b.apply("reshape", x, name="predicted_depth", shape=(workload.batch, *x.spec.shape[2:]))


def family(name: str, config: type[DepthAnythingConfig], presets: PresetFiles, doc: str) -> Architecture:
    """Returns the architecture of a family of which its configuration class says everything."""
    others = ("max_depth", "backbone", "use_timm_backbone", "use_pretrained_backbone", "backbone_kwargs")
    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={"image_size": lambda config: config.backbone_config.config.image_size},
        attention=("fused", "eager"),
        dtype="float32",
        aliases={"torch_dtype": "dtype"},
        no_cost=dict.fromkeys(others),
        model_types=(name,),
        losses=SUM_ALONE,
        doc=doc,
    )


ARCHITECTURE = family(
    "depth_anything",
    DepthAnythingConfig,
    PresetFiles(__file__),
    "Depth Anything: the depth of each place, from tokens of four of DINOv2's layers.",
)
