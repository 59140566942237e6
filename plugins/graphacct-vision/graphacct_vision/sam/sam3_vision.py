"""SAM 3's image encoder: a ViT, and maps of four sizes made of its last (Carion et al., 2025, arXiv:2511.16719)."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.losses import SUM_ALONE

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_vision.parts.layers import convolution, transposed
from graphacct_vision.parts.lists import numbers
from graphacct_vision.sam.sam2_vision import sizes_of_maps
from graphacct_vision.sam.sam3_vit import NO_COST, ViTKeys, encoded

CLASSES = ("Sam3VisionModel",)
FACTORS = (4.0, 2.0, 1.0, 0.5)


@frozen(kw_only=True)
class InnerViT(ViTKeys):
    """The ViT's keys inside the encoder."""

    model_type: str = fields.choice("sam3_vit_model", ("sam3_vit_model", ""))


@frozen(kw_only=True)
class Sam3VisionKeys:
    """The keys of the published config.json that the cost depends on."""

    backbone_config: InnerViT | None = fields.nested(InnerViT, "SAM 3")
    fpn_hidden_size: Dim = fields.size(256)
    backbone_feature_sizes: Any = sizes_of_maps(((288, 288), (144, 144), (72, 72)))
    scale_factors: tuple[float, ...] | None = numbers(FACTORS, optional=True)

    def __attrs_post_init__(self) -> None:
        for factor in self.factors:
            if factor not in FACTORS:
                raise ConfigError(f"scale_factors has {factor:g}: a map grows by 4, 2, 1 or 0.5")

    @property
    def factors(self) -> tuple[float, ...]:
        """By how much each map is larger than the ViT's."""
        return FACTORS if self.scale_factors is None else self.scale_factors

    @property
    def vit(self) -> InnerViT:
        """The encoder without its neck."""
        return self.backbone_config or InnerViT()


@frozen(kw_only=True)
class Sam3VisionConfig(Sam3VisionKeys):
    """The keys of the image encoder alone, and its class."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    dtype: str | None = fields.dtype()


def build(config: Sam3VisionConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to the tokens and the maps, from the largest."""
    last, found = maps_of(config, workload, b)
    return last, *found


def maps_of(config: Sam3VisionKeys, workload: Workload, b: Builder) -> tuple[Value, list[Value]]:
    """Returns the ViT's tokens (batch, patches, width), and the maps (batch, channels, rows, columns) made of them."""
    with b.scope("backbone"):
        x = encoded(config.vit, workload, b)
    batch, rows, columns, width = x.spec.shape
    tokens = b.apply("reshape", x, name="tokens", shape=(batch, rows * columns, width))
    x = b.apply("permute", x, name="channels_first", dims=(0, 3, 1, 2))
    found = []
    with b.scope("neck.fpn_layers"):
        for place, factor in enumerate(config.factors):
            with b.scope(str(place)):
                y = sized(b, x, factor)
                y = convolution(b, "proj1", y, config.fpn_hidden_size, bias=True)
                found.append(convolution(b, "proj2", y, config.fpn_hidden_size, 3, padding=1, bias=True))
    return tokens, found


def sized(b: Builder, x: Value, factor: float) -> Value:
    """Returns a map that is larger or smaller by a factor, with fewer channels the larger it is."""
    width = x.spec.shape[1]
    if factor == 1:
        return x
    if factor < 1:
        return b.apply("max_pool", x, name="scale_layers.0", kernel=2, stride=2)
    x = transposed(b, "scale_layers.0", x, exact_div(width, 2, "hidden_size / 2"), 2, stride=2)
    if factor == FACTORS[0]:
        x = b.apply("gelu", x, name="scale_layers.1")
        x = transposed(b, "scale_layers.2", x, exact_div(width, 4, "hidden_size / 4"), 2, stride=2)
    return x


ARCHITECTURE = Architecture(
    "sam3_vision_model",
    Sam3VisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.vit.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={**NO_COST, "hidden_act": None},
    model_types=("sam3_vision_model",),
    losses=SUM_ALONE,
    doc="SAM 3's image encoder: a ViT of windows, and maps of four sizes made of its last.",
)
