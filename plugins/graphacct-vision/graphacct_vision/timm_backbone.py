"""A ResNet of timm's as a backbone, as the transformers library wraps it (He et al., 2015, arXiv:1512.03385)."""

from __future__ import annotations

import attrs
from graphacct_architectures.losses import SUM_ALONE

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, brief, fields, frozen
from graphacct_vision.backbones import places_of_stages
from graphacct_vision.timm import resnet as timm_resnet

CLASSES = ("TimmBackbone",)
MAPS = 5


@frozen(kw_only=True)
class TimmBackboneConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone: str = timm_resnet.model_name("resnet50")
    num_channels: Dim = fields.size(3)
    features_only: bool = fields.always(True)
    out_indices: tuple[int, ...] | None = places_of_stages((-1,))
    freeze_batch_norm_2d: bool = fields.always(False)
    output_stride: Dim | None = fields.optional_size()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        timm_resnet.required(self.backbone, "backbone")
        if any(not -MAPS <= place < MAPS for place in self.out_indices or ()):
            raise ConfigError(f"out_indices {list(self.out_indices or ())} are indices of the stem and four stages")
        if self.output_stride not in (None, 8, 16, 32):
            raise ConfigError(f"output_stride is 8, 16 or 32, not {brief(self.output_stride)}")


def build(config: TimmBackboneConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to maps of stages."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    stride = config.output_stride if type(config.output_stride) is int else 32
    kind = attrs.evolve(
        timm_resnet.required(config.backbone, "backbone"), stride=stride, training=workload.phase == "train"
    )
    places = sorted(place % MAPS for place in config.out_indices or (-1,))
    with b.scope("_backbone"):
        found = timm_resnet.maps(kind, b, pixels, places[-1])
    return tuple(found[place] for place in places)


ARCHITECTURE = Architecture(
    "timm_backbone",
    TimmBackboneConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (224, 224)},
    dtype="float32",
    aliases={"torch_dtype": "dtype", "_out_indices": "out_indices"},
    no_cost=dict.fromkeys(("use_pretrained_backbone", "use_timm_backbone", "out_features", "_out_features")),
    model_types=("timm_backbone",),
    losses=SUM_ALONE,
    doc="A ResNet of timm's as a backbone: maps of its stages.",
)
