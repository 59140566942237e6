"""PP-OCR v5's small detector: where there is text, from joined maps of PP-LCNet V3 (Cui et al., 2025,
arXiv:2507.05595)."""

from __future__ import annotations

from typing import Any

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
from graphacct_vision.parts.inner_backbone import backbone, maps
from graphacct_vision.parts.layers import batch_norm, conv_norm, convolution, transposed

CLASSES = ("PPOCRV5MobileDetModel", "PPOCRV5MobileDetForObjectDetection")
DEFAULT: dict[str, Any] = {"scale": 0.75, "out_features": ["stage2", "stage3", "stage4", "stage5"], "divisor": 16}
MAPS = 4
PARTS = ("convolution", "norm")


@frozen(kw_only=True)
class MobileDetConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone_config: SubModel = backbone("pp_lcnet_v3", DEFAULT)
    reduction: Dim = fields.size(4)
    neck_out_channels: Dim = fields.size(96)
    interpolate_mode: str = fields.choice("nearest", ("nearest", "bilinear"))
    kernel_list: tuple[int, ...] = fields.counts((3, 2, 2), 3)
    layer_list_out_channels: tuple[Dim, ...] = fields.counts((12, 18, 42, 360), MAPS)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()


def build(config: MobileDetConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to the joined map, or to how surely each place is text."""
    assert workload.image_size is not None  # the architecture declares its default
    channels = config.backbone_config.config.num_channels
    pixels = b.input("pixel_values", (workload.batch, channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return joined(config, workload, b, pixels)
    with b.scope("model"):
        x = joined(config, workload, b, pixels)
    training, width = workload.phase == "train", exact_div(config.neck_out_channels, 4, "neck_out_channels / 4")
    first, up, last = config.kernel_list
    with b.scope("head"):
        x = conv_norm(b, "conv_down", x, width, first, training=training, parts=PARTS, padding=first // 2)
        with b.scope("conv_up"):
            x = batch_norm(b, "norm", transposed(b, "convolution", x, width, up, stride=2), training=training)
            x = b.apply("relu", x, name="act_fn")
        return b.apply("sigmoid", transposed(b, "conv_final", x, 1, last, stride=2), name="probability")


def joined(config: MobileDetConfig, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the backbone's maps, each with the smaller ones added, side by side."""
    with b.scope("backbone"):
        found = maps(config.backbone_config, workload, b, pixels)
    if len(found) != MAPS:
        raise ConfigError(f"backbone_config hands on {len(found)} maps: {MAPS} are joined")
    found = tuple(
        convolution(b, f"layer.{place}", x, config.layer_list_out_channels[place], bias=True)
        for place, x in enumerate(found)
    )
    width = config.neck_out_channels
    with b.scope("neck"):
        fused = [weighted(config, b, f"insert_conv.{place}", x, width, 1) for place, x in enumerate(found)]
        for place in range(MAPS - 2, -1, -1):
            above = larger(config, b, fused[place + 1], 2, f"above_{place}")
            if above.spec.shape != fused[place].spec.shape:
                raise ConfigError("each map is twice the next: take an image whose sides are multiples of 32")
            fused[place] = b.apply("add", fused[place], above, name=f"fused_{place}")
        narrow = exact_div(width, MAPS, "neck_out_channels / 4")
        parts = [weighted(config, b, f"input_conv.{place}", x, narrow, 3) for place, x in enumerate(fused)]
        parts = [larger(config, b, x, 2**place, f"larger_{place}") if place else x for place, x in enumerate(parts)]
        return b.apply("concat", *reversed(parts), name="joined", dim=1)


def larger(config: MobileDetConfig, b: Builder, x: Value, times: int, name: str) -> Value:
    """Returns a map some times as large."""
    kind = {"nearest": "upsample_nearest", "bilinear": "upsample_linear"}[config.interpolate_mode]
    return b.apply(kind, x, name=name, size=tuple(times * side for side in x.spec.shape[2:]))


def weighted(config: MobileDetConfig, b: Builder, name: str, x: Value, width: Dim, kernel: int) -> Value:
    """Returns a convolution's map, and that with weights of channels added."""
    with b.scope(name):
        x = convolution(b, "in_conv", x, width, kernel, padding=kernel // 2)
        with b.scope("squeeze_excitation_block"):
            y = b.apply("mean", x, name="avg_pool", dim=(2, 3), keepdim=True)
            y = convolution(b, "conv1", y, floor_div(width, config.reduction), bias=True)
            y = convolution(b, "conv2", b.apply("relu", y, name="act_fn"), width, bias=True)
            y = b.apply("shift", b.apply("scale", y, name="fifth"), name="from_half")
            y = b.apply("mul", x, b.apply("clamp", y, name="weights"), name="weighted")
        return b.apply("add", x, y, name="residual")


ARCHITECTURE = Architecture(
    "pp_ocrv5_mobile_det",
    MobileDetConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (640, 640)},
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    model_types=("pp_ocrv5_mobile_det",),
    losses=SUM_ALONE,
    doc="PP-OCR v5's small detector: where there is text, from joined maps of PP-LCNet V3.",
)
