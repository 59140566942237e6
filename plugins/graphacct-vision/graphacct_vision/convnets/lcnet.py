"""What PaddlePaddle's LCNets share: stages of a convolution of places, weights of channels and one of channels.

Cui et al., 2021 (arXiv:2109.15099).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
from graphacct_architectures.activations import activation
from graphacct_architectures.losses import SUM_ALONE

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    fields,
    floor_div,
    frozen,
)
from graphacct_vision.parts.backbones import ALIASES, Backbone
from graphacct_vision.parts.inverted import divisible
from graphacct_vision.parts.layers import conv_norm, convolution
from graphacct_vision.parts.windows import ratio

Block = tuple[int, int, int, Any, bool]
"""A block's kernel, its channels in and out, its stride, and whether channels have weights."""
STAGES = 5


def _block(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != STAGES:
        return False
    *sizes, stride, weighted = value
    pair = isinstance(stride, (list, tuple)) and len(stride) == 2 and all(type(step) is int for step in stride)
    return (
        all(type(size) is int and size > 0 for size in sizes)
        and (pair or type(stride) is int)
        and (type(weighted) is bool)
    )


def _frozen(block: Any) -> Block:
    kernel, taken, out, stride, weighted = block
    return kernel, taken, out, tuple(stride) if isinstance(stride, (list, tuple)) else stride, weighted


def stage_blocks() -> Any:
    """Returns the key of the stages' blocks, or null for the family's own."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Any:
        if value is None:
            return None
        good = isinstance(value, (list, tuple)) and all(
            isinstance(stage, (list, tuple)) and stage and all(map(_block, stage)) for stage in value
        )
        if not good:
            raise ConfigError(
                f"{field.name} is a list of stages, each a list of blocks [kernel, channels in, channels out, stride, "
                f"true or false], not {brief(value)}"
            )
        return tuple(
            tuple(
                (*block[:3], tuple(block[3]) if isinstance(block[3], (list, tuple)) else block[3], block[4])
                for block in stage
            )
            for stage in value
        )

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class LCNetKeys(Backbone):
    """The keys that the families share."""

    scale: float = ratio(1.0)
    block_configs: Any = stage_blocks()
    reduction: Dim = fields.size(4)

    @property
    def default_blocks(self) -> tuple[tuple[Block, ...], ...]:
        """The stages of a file that names none."""
        raise NotImplementedError

    @property
    def blocks(self) -> tuple[tuple[Block, ...], ...]:
        """The stages."""
        return self.default_blocks if self.block_configs is None else self.block_configs


@frozen(kw_only=True)
class ScaledKeys(LCNetKeys):
    """The keys of those whose channels are scaled."""

    stem_channels: int = fields.size(16)
    stem_stride: Dim = fields.size(2)
    divisor: int = fields.size(8)
    hidden_act: str = activation("hardswish")

    def __attrs_post_init__(self) -> None:
        if len(self.blocks) != STAGES:
            raise ConfigError(f"block_configs has {len(self.blocks)} stages: {STAGES} for the library's class")

    def scaled(self, channels: int) -> int:
        """Returns a number of channels times the scale."""
        return divisible(channels * self.scale, self.divisor)


def weighted(b: Builder, name: str, x: Value, reduction: Dim) -> Value:
    """Returns a map whose channels are each weighted by what all of them have in the mean."""
    channels = x.spec.shape[1]
    with b.scope(name):
        y = b.apply("mean", x, name="avg_pool", dim=(2, 3), keepdim=True)
        y = convolution(b, "convolutions.0", y, floor_div(channels, reduction), bias=True)
        y = convolution(b, "convolutions.2", b.apply("relu", y, name="convolutions.1"), channels, bias=True)
        return b.apply("mul", x, b.apply("hardsigmoid", y, name="convolutions.3"), name="weighted")


def padded_conv(
    b: Builder, name: str, x: Value, width: Dim, kernel: int, *, training: bool, act: str, **options: Any
) -> Value:
    """Applies a convolution that keeps the map's size but for its stride, a norm, and an activation if there is one."""
    return conv_norm(b, name, x, width, kernel, training=training, act=act, padding=kernel // 2, **options)


def encoded(
    config: LCNetKeys,
    workload: Workload,
    b: Builder,
    x: Value,
    stem: Callable[..., Value],
    block: Callable[..., Value],
    word: str,
) -> list[Value]:
    """Returns the stem's map and each stage's; `word` is the name of a stage's list of blocks."""
    training = workload.phase == "train"
    with b.scope("encoder"):
        x = stem(config, training, b, x)
        found = [x]
        for index, stage in enumerate(config.blocks):
            for place, one in enumerate(stage):
                with b.scope(f"blocks.{index}.{word}.{place}"):
                    x = block(config, training, b, x, one)
            found.append(x)
    return found


def scaled_stem(config: Any, training: bool, b: Builder, x: Value, act: str) -> Value:
    """Returns the map of one convolution."""
    width = config.scaled(config.stem_channels)
    return padded_conv(b, "convolution", x, width, 3, training=training, act=act, stride=config.stem_stride)


def backbone_build(config: Any, workload: Workload, b: Builder, every: Callable[..., list[Value]]) -> Any:
    """Returns the graph from pixels to maps of stages. `every` returns the stem's map and each stage's."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    found = every(config, workload, b, pixels)
    return tuple(found[place] for place in config.handed_on(len(found) - 1))


def family(
    name: str, config: type[Any], presets: PresetFiles, doc: str, every: Callable[..., list[Value]], **more: Any
) -> Architecture:
    """Returns the architecture of a family of which its configuration class and its stages say everything."""
    options: dict[str, Any] = {"build": partial(backbone_build, every=every), **more}
    return Architecture(
        name=name,
        config=config,
        presets=presets,
        sizes={"image_size": lambda config: (224, 224)},
        dtype="float32",
        aliases=ALIASES,
        model_types=(name,),
        losses=SUM_ALONE,
        doc=doc,
        **options,
    )
