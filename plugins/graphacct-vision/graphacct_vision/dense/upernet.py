"""UPerNet: semantic segmentation from the maps of any backbone (Xiao et al., 2018, arXiv:1807.10221)."""

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
    fields,
    frozen,
    has_value,
)
from graphacct_vision.parts.inner_backbone import backbone, maps
from graphacct_vision.parts.layers import resized
from graphacct_vision.parts.pyramid import UPERNET, fcn_head, uper_head

CLASSES = ("UperNetForSemanticSegmentation",)
DEFAULT: dict[str, Any] = {"out_features": ["stage1", "stage2", "stage3", "stage4"]}
READ = 2
"""The map that the auxiliary head reads."""


@frozen(kw_only=True)
class UperNetConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone_config: SubModel = backbone("resnet", DEFAULT)
    hidden_size: Dim = fields.size(512)
    pool_scales: tuple[Dim, ...] = fields.counts((1, 2, 3, 6))
    use_auxiliary_head: bool = fields.flag(True)
    auxiliary_in_channels: Dim | None = fields.optional_size()
    auxiliary_channels: Dim = fields.size(256)
    auxiliary_num_convs: int = fields.size(1, minimum=0)
    auxiliary_concat_input: bool = fields.flag(False)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()


def build(config: UperNetConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to the logits of each."""
    assert workload.image_size is not None  # the architecture declares its default
    image, training = workload.image_size, workload.phase == "train"
    pixels = b.input("pixel_values", (workload.batch, config.backbone_config.config.num_channels, *image))
    with b.scope("backbone"):
        found = maps(config.backbone_config, workload, b, pixels)
    with b.scope("decode_head"):
        x = uper_head(b, found, config.hidden_size, config.pool_scales, config.num_labels, training, UPERNET)
    x = resized(b, "logits", x, image)
    if config.use_auxiliary_head:  # its logits are in the loss alone
        if len(found) <= READ:
            raise ConfigError(f"backbone_config hands on {len(found)} maps: the auxiliary head reads the third")
        taken, given = found[READ].spec.shape[1], config.auxiliary_in_channels
        if given is not None and has_value(taken) and has_value(given) and taken != given:
            raise ConfigError(f"auxiliary_in_channels is {given}, but the third map has {taken} channels")
        with b.scope("auxiliary_head"):
            channels, count, joined = (
                config.auxiliary_channels,
                config.auxiliary_num_convs,
                config.auxiliary_concat_input,
            )
            y = fcn_head(
                b, found[READ], channels, count, config.num_labels, training, joined=joined, parts=UPERNET.parts
            )
        resized(b, "auxiliary_logits", y, image)
    return x


ARCHITECTURE = Architecture(
    "upernet",
    UperNetConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (512, 512)},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost=dict.fromkeys(
        (
            *("auxiliary_loss_weight", "loss_ignore_index", "backbone", "use_timm_backbone"),
            *("use_pretrained_backbone", "backbone_kwargs"),
        )
    ),
    model_types=("upernet",),
    losses=SUM_ALONE,
    doc="UPerNet: semantic segmentation from the maps of any backbone.",
)
