"""A model of timm's as a backbone, as the transformers library wraps it: maps of its stages, not its head."""

from __future__ import annotations

from graphacct_architectures.losses import SUM_ALONE

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    DeclinedError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    fields,
    frozen,
    has_value,
)
from graphacct_vision.parts.backbones import places_of_stages
from graphacct_vision.timm import families
from graphacct_vision.timm.resnet import TimmResNet, model_name

CLASSES = ("TimmBackbone",)
WITHOUT_MAPS = {"vit": "a ViT of timm's", "vgg": "timm's", "maxvit": "timm's"}
"""The families whose stages are not handed on, and what a message calls one."""


@frozen(kw_only=True)
class TimmBackboneConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone: str = model_name("resnet50")
    num_channels: Dim = fields.size(3)
    features_only: bool = fields.always(True)
    out_indices: tuple[int, ...] | None = places_of_stages((-1,))
    freeze_batch_norm_2d: bool = fields.always(False)
    output_stride: Dim | None = fields.optional_size()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if families.family(self.backbone) is None:
            raise DeclinedError(families.refusal("backbone", self.backbone))
        what = WITHOUT_MAPS.get(families.family(self.backbone) or "")
        if what:
            raise DeclinedError(f"backbone {brief(self.backbone)} is {what}, whose maps are not modelled")
        count = self.levels
        if any(not -count <= place < count for place in self.out_indices or ()):
            raise ConfigError(f"out_indices {list(self.out_indices or ())} are indices of the {count} maps that it has")
        if self.output_stride not in (None, 8, 16, 32):
            raise ConfigError(f"output_stride is 8, 16 or 32, not {brief(self.output_stride)}")
        if self.output_stride not in (None, 32) and not isinstance(families.kind(self.backbone), TimmResNet):
            raise DeclinedError(
                f"output_stride is {self.output_stride}, which is modelled of ResNets alone: {brief(self.backbone)} is "
                "read with 32"
            )

    @property
    def levels(self) -> int:
        """How many maps the backbone has."""
        found: int = families.module_of(self.backbone).levels(families.kind(self.backbone))
        return found


def build(config: TimmBackboneConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to maps of stages."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    stride = config.output_stride if has_value(config.output_stride) else 32
    places = tuple(sorted({place % config.levels for place in config.out_indices or (-1,)}))
    kind = families.kind(config.backbone)
    with b.scope("_backbone"):
        return tuple(families.module_of(config.backbone).features(kind, workload, b, pixels, places, stride))


def image_size(config: TimmBackboneConfig) -> tuple[int, int]:
    """Returns the size of the images that the model is published for, where it takes no other; else of ImageNet's."""
    side = families.kind(config.backbone).image if families.family(config.backbone) == "swin" else 224
    return side, side


ARCHITECTURE = Architecture(
    "timm_backbone",
    TimmBackboneConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", "_out_indices": "out_indices"},
    no_cost=dict.fromkeys(("use_pretrained_backbone", "use_timm_backbone", "out_features", "_out_features")),
    model_types=("timm_backbone",),
    losses=SUM_ALONE,
    doc="A model of timm's as a backbone: maps of its stages.",
)
