"""HGNet V2: blocks that put the maps of all their layers together (PaddlePaddle's PP-HGNetV2)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    equal,
    fields,
    frozen,
)
from graphacct_vision.parts.backbones import ALIASES, Backbone
from graphacct_vision.parts.layers import conv_norm, flat_logits
from graphacct_vision.parts.stages import repeated

CLASSES = ("HGNetV2Backbone", "HGNetV2ForImageClassification")
LISTS: tuple[str, ...] = ("stage_mid_channels", "stage_out_channels", "stage_num_blocks", "stage_downsample")
LISTS += ("stage_downsample_strides", "stage_light_block", "stage_kernel_size", "stage_numb_of_layers")
STEM = 5


def flags(default: Sequence[bool]) -> Any:
    """Returns a key that is a list of true and false."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[bool, ...]:
        if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(one, bool) for one in value):
            raise ConfigError(f"{field.name} is a list of true and false, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, tuple(default))


@frozen(kw_only=True)
class HGNetV2Config(Backbone):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    depths: tuple[Dim, ...] = fields.counts((3, 4, 6, 3))
    hidden_sizes: tuple[Dim, ...] = fields.counts((256, 512, 1024, 2048))
    hidden_act: str = activation("relu")
    stem_channels: tuple[int, ...] = fields.counts((3, 32, 48), 3)
    stem_strides: tuple[Dim, ...] = fields.counts((2, 1, 1, 2, 1), STEM)
    stage_in_channels: tuple[Dim, ...] = fields.counts((48, 128, 512, 1024))
    stage_mid_channels: tuple[Dim, ...] = fields.counts((48, 96, 192, 384))
    stage_out_channels: tuple[int, ...] = fields.counts((128, 512, 1024, 2048))
    stage_num_blocks: tuple[Dim, ...] = fields.counts((1, 1, 3, 1))
    stage_downsample: tuple[bool, ...] = flags((False, True, True, True))
    stage_downsample_strides: tuple[Dim, ...] = fields.counts((2, 2, 2, 2))
    stage_light_block: tuple[bool, ...] = flags((False, False, True, True))
    stage_kernel_size: tuple[int, ...] = fields.counts((3, 3, 5, 5))
    stage_numb_of_layers: tuple[int, ...] = fields.counts((6, 6, 6, 6))
    use_learnable_affine_block: bool = fields.flag(False)

    def __attrs_post_init__(self) -> None:
        count = len(self.stage_in_channels)
        for key in LISTS:
            if len(getattr(self, key)) != count:
                raise ConfigError(f"{key} has {len(getattr(self, key))} stages, stage_in_channels has {count}")
        before = (self.stem_channels[2], *self.stage_out_channels)
        for place, channels in enumerate(self.stage_in_channels):
            if not equal(channels, before[place]):
                raise ConfigError(f"stage_in_channels has {channels} at {place}, where {before[place]} channels arrive")
        if not equal(self.stem_channels[0], self.num_channels):
            raise ConfigError(f"stem_channels begins with {self.stem_channels[0]}, num_channels is {self.num_channels}")


def build(config: HGNetV2Config, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to maps of stages, or to logits."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    found = stages(config, workload, b, pixels)
    if config.architectures.endswith("Backbone"):
        return tuple(found[place] for place in config.handed_on(len(config.depths)))
    x = b.apply("mean", found[-1], name="avg_pool", dim=(2, 3), keepdim=True)
    return flat_logits(b, "fc", x, config.num_labels)


def unit(
    config: HGNetV2Config,
    training: bool,
    b: Builder,
    name: str,
    x: Value,
    channels: Dim,
    kernel: int = 1,
    *,
    act: str,
    stride: Dim = 1,
    groups: Dim = 1,
    frozen: bool = False,
) -> Value:
    """Applies a convolution, a norm and an activation, and a learned scale and shift of all channels if there is one
    and the file asks for it."""
    pad = (kernel - 1) // 2
    options: dict[str, Any] = {"stride": stride, "padding": pad, "groups": groups, "frozen": frozen}
    x = conv_norm(b, name, x, channels, kernel, training=training, act=act, **options)
    if not (act and config.use_learnable_affine_block):
        return x
    with b.scope(f"{name}.lab"):
        x = b.apply("mul", b.parameter("scale", (1,)), x, name="scaled")
        return b.apply("add", x, b.parameter("bias", (1,)), name="shifted")


def stages(config: HGNetV2Config, workload: Workload, b: Builder, x: Value, *, frozen: bool = False) -> list[Value]:
    """Returns the stem's output and each stage's. In a `frozen` one the norms are what they learned."""
    conv = partial(unit, config, workload.phase == "train", b, frozen=frozen)
    with b.scope("embedder"):
        x = stem(config, partial(conv, act=ACTIVATIONS[config.hidden_act]), b, x)
    found = [x]
    with b.scope("encoder.stages"):
        for index, depth in enumerate(config.stage_num_blocks):
            with b.scope(str(index)):
                if config.stage_downsample[index]:
                    step, taken = config.stage_downsample_strides[index], config.stage_in_channels[index]
                    x = conv("downsample", x, taken, 3, stride=step, groups=taken, act="")
                first, other = (partial(block, config, workload, index, again, frozen) for again in (False, True))
                x = repeated("blocks", depth, first, other, b, x)
            found.append(x)
    return found


def stem(config: HGNetV2Config, conv: Any, b: Builder, x: Value) -> Value:
    """Returns the stem's map: of two paths, one of which is pooled."""
    _, middle, out = config.stem_channels
    steps = config.stem_strides
    x = conv("stem1", x, middle, 3, stride=steps[0])
    x = b.apply("pad", x, name="padded", padding=((0, 1), (0, 1)))
    y = conv("stem2a", x, middle // 2, 2, stride=steps[1])
    y = b.apply("pad", y, name="padded_again", padding=((0, 1), (0, 1)))
    y = conv("stem2b", y, middle, 2, stride=steps[2])
    x = b.apply("max_pool", x, name="pool", kernel=2, stride=1, ceil_mode=True)
    x = b.apply("concat", x, y, name="both", dim=1)
    return conv("stem4", conv("stem3", x, middle, 3, stride=steps[3]), out, stride=steps[4])


def block(
    config: HGNetV2Config, workload: Workload, stage: int, again: bool, frozen: bool, b: Builder, x: Value
) -> Value:
    """Returns the maps of all layers put together; added to x where the block comes `again`."""
    conv = partial(unit, config, workload.phase == "train", b, frozen=frozen)
    middle, kernel = config.stage_mid_channels[stage], config.stage_kernel_size[stage]
    b.hold(x)
    maps = [x]
    for index in range(config.stage_numb_of_layers[stage]):
        y, name = maps[-1], f"layers.{index}"
        if config.stage_light_block[stage]:
            y = conv(f"{name}.conv1", y, middle, act="")
            y = conv(f"{name}.conv2", y, middle, kernel, groups=middle, act="relu")
        else:
            y = conv(name, y, middle, kernel, act="relu")
        maps.append(y)
    y = b.apply("concat", *maps, name="together", dim=1)
    out = config.stage_out_channels[stage]
    y = conv("aggregation.0", y, out // 2, act="relu")
    y = conv("aggregation.1", y, out, act="relu")
    return b.apply("add", y, x, name="residual") if again else y


ARCHITECTURE = Architecture(
    "hgnet_v2",
    HGNetV2Config,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (224, 224)},
    dtype="float32",
    aliases=ALIASES,
    no_cost={"embedding_size": None},
    model_types=("hgnet_v2",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="HGNet V2: blocks that put the maps of all their layers together.",
)
