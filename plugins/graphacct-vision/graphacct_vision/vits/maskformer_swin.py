"""MaskFormer's Swin: a backbone that normalizes the map of every stage (Cheng et al., 2021, arXiv:2107.06278)."""

from __future__ import annotations

from typing import ClassVar

import attrs
from graphacct_architectures.layers import layer_norm

from graphacct import Architecture, Builder, ConfigError, PresetFiles, Value, Workload, fields, frozen
from graphacct_vision.vits.swin import family, normed_stages, stages
from graphacct_vision.vits.swin_older import OlderSwinConfig

CLASSES = ("MaskFormerSwinModel", "MaskFormerSwinBackbone")


@frozen(kw_only=True)
class MaskFormerSwinConfig(OlderSwinConfig):
    """The keys of the published config.json that the cost depends on."""

    PARTITIONS: ClassVar[bool] = True

    architectures: str = fields.model_class(CLASSES[0], CLASSES)


def build(config: MaskFormerSwinConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to the last stage's tokens and their mean, or to maps of stages."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures.endswith("Backbone"):
        return maps(config, workload, b, pixels)
    x = normed_stages(config, workload, b, pixels)
    return x, b.apply("mean", x, name="pooler", dim=1)


def maps(config: MaskFormerSwinConfig, workload: Workload, b: Builder, pixels: Value) -> tuple[Value, ...]:
    """Returns the stages that the backbone hands on; it normalizes all of them."""
    places = config.handed_on(len(config.depths))
    if 0 in places:
        raise ConfigError("MaskFormerSwinBackbone hands on no stem: leave it out of out_features and out_indices")
    with b.scope("model"):
        found = stages(config, workload, b, pixels)
        b.apply("mean", layer_norm(b, "layernorm", found[-1][0]), name="pooler", dim=1)  # read by nothing
    maps = {}
    for place, (x, grid) in enumerate(found[1:], 1):
        x = layer_norm(b, f"hidden_states_norms.{place - 1}", x)
        batch, _, channels = x.spec.shape
        x = b.apply("permute", x, name=f"stage{place}_channels_first", dims=(0, 2, 1))
        x = b.apply("reshape", x, name=f"stage{place}_places", shape=(batch, channels, *grid))
        maps[place] = b.apply("contiguous", x, name=f"stage{place}")
    return tuple(maps[place] for place in places)


ARCHITECTURE: Architecture = attrs.evolve(
    family("maskformer-swin", MaskFormerSwinConfig, PresetFiles(__file__), "MaskFormer's Swin: maps of stages."),
    build=build,
)
