"""SAM 2's image encoder: Hiera, and a pyramid of its stages (Ravi et al., 2024, arXiv:2408.00714)."""

from __future__ import annotations

from typing import Any

import attrs
from graphacct_architectures.losses import SUM_ALONE

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    fields,
    frozen,
    has_value,
)
from graphacct_vision.parts.layers import convolution
from graphacct_vision.parts.lists import naturals
from graphacct_vision.sam.sam2_hiera_det import NO_COST, HieraDetKeys, stages

CLASSES = ("Sam2VisionModel",)


@frozen(kw_only=True)
class InnerHiera(HieraDetKeys):
    """Hiera's keys inside the encoder."""

    model_type: str = fields.choice("sam2_hiera_det_model", ("sam2_hiera_det_model", ""))


def _sizes(value: Any, field: attrs.Attribute[Any]) -> Any:
    pairs = isinstance(value, (list, tuple)) and all(
        isinstance(part, (list, tuple)) and len(part) == 2 for part in value
    )
    if value is None or (pairs and all(has_value(side) and side > 0 for part in value for side in part)):
        return None if value is None else tuple(map(tuple, value))
    raise ConfigError(f"{field.name} is a list of rows and columns of maps, not {value!r}")


def sizes_of_maps(default: Any) -> Any:
    """Returns a key that is a list of rows and columns of maps, or null."""
    return fields.checked_field(_sizes, default, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class Sam2VisionKeys:
    """The keys of the published config.json that the cost depends on."""

    backbone_config: InnerHiera | None = fields.nested(InnerHiera, "SAM 2")
    backbone_channel_list: tuple[Dim, ...] = fields.counts((768, 384, 192, 96))
    backbone_feature_sizes: Any = sizes_of_maps(((256, 256), (128, 128), (64, 64)))
    fpn_hidden_size: Dim = fields.size(256)
    fpn_kernel_size: int = fields.size(1)
    fpn_stride: int = fields.size(1)
    fpn_padding: int = fields.size(0, minimum=0)
    fpn_top_down_levels: tuple[int, ...] = naturals((2, 3))
    num_feature_levels: int = fields.size(3)

    def __attrs_post_init__(self) -> None:
        given = tuple(reversed(self.hiera.embed_dim_per_stage))
        if len(given) != len(self.backbone_channel_list) or not all(map(equal, given, self.backbone_channel_list)):
            raise ConfigError(
                f"backbone_channel_list is {list(self.backbone_channel_list)}, but backbone_config's stages have "
                f"{list(given)} channels, from the last"
            )

    @property
    def hiera(self) -> InnerHiera:
        """The encoder without its neck."""
        return self.backbone_config or InnerHiera()


@frozen(kw_only=True)
class Sam2VisionConfig(Sam2VisionKeys):
    """The keys of the image encoder alone, and its class."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    dtype: str | None = fields.dtype()


def build(config: Sam2VisionConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to the last stage's map and the pyramid's, from the largest."""
    last, found = encoded(config, workload, b)
    return last, *found


def encoded(config: Sam2VisionKeys, workload: Workload, b: Builder) -> tuple[Value, list[Value]]:
    """Returns the last stage's map (batch, rows, columns, channels), and the pyramid's maps (batch, channels, rows,
    columns) from the largest to the smallest."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.hiera.num_channels, *workload.image_size))
    with b.scope("backbone"):
        found = stages(config.hiera, workload, b, pixels)
    with b.scope("neck"):
        maps = joined(config, b, found)
    return found[-1], maps[: config.num_feature_levels]


def joined(config: Sam2VisionKeys, b: Builder, found: list[Value]) -> list[Value]:
    """Returns the stages' maps with one number of channels, some with the next smaller one added, from the largest."""
    maps: list[Value] = []
    last = len(found) - 1
    for level in range(last, -1, -1):
        x = b.apply("permute", found[level], name=f"channels_first_{level}", dims=(0, 3, 1, 2))
        options: dict[str, Any] = {"stride": config.fpn_stride, "padding": config.fpn_padding}
        x = convolution(
            b, f"convs.{last - level}", x, config.fpn_hidden_size, config.fpn_kernel_size, bias=True, **options
        )
        if level in config.fpn_top_down_levels and level != last:
            above = maps[-1]
            wide = above.spec.dtype != "float32"
            above = b.apply("cast", above, name=f"above_{level}_wide", dtype="float32") if wide else above
            rows, columns = above.spec.shape[2:]
            above = b.apply("upsample_nearest", above, name=f"above_{level}", size=(2 * rows, 2 * columns))
            above = b.apply("cast", above, name=f"above_{level}_cast", dtype=b.dtype) if wide else above
            x = b.apply("add", x, above, name=f"joined_{level}")
        maps.append(x)
    return maps[::-1]


ARCHITECTURE = Architecture(
    "sam2_vision_model",
    Sam2VisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.hiera.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys((*NO_COST, "hidden_act")),
    model_types=("sam2_vision_model",),
    losses=SUM_ALONE,
    doc="SAM 2's image encoder: Hiera, and a pyramid of its stages.",
)
