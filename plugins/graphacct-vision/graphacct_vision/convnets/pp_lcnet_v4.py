"""PP-LCNet V4: convolutions of places, and a network of channels of each, as PP-OCR v6 has it."""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation

from graphacct import Builder, ConfigError, PresetFiles, Value, Workload, brief, equal, fields, frozen, has_value
from graphacct_vision.convnets import lcnet
from graphacct_vision.convnets.pp_lcnet_v3 import shifted
from graphacct_vision.parts.layers import conv_norm, convolution

CLASSES = ("PPLCNetV4Backbone",)
BLOCKS: tuple[tuple[lcnet.Block, ...], ...] = (
    ((3, 96, 96, 1, True),),
    ((3, 96, 96, 1, False),) * 2,
    ((3, 96, 192, (2, 1), False), *((3, 192, 192, 1, True), (3, 192, 192, 1, False)) * 3),
    ((3, 192, 384, (2, 1), False), (3, 384, 384, 1, True), (3, 384, 384, 1, False)),
)
STRIDES = (2, 1, 1, 2, 1)


def _strides(value: Any, field: attrs.Attribute[Any]) -> Any:
    def one(step: Any) -> bool:
        return (has_value(step) and step > 0) or (
            isinstance(step, (list, tuple)) and len(step) == 2 and all(type(part) is int for part in step)
        )

    if not isinstance(value, (list, tuple)) or len(value) != len(STRIDES) or not all(map(one, value)):
        raise ConfigError(f"{field.name} is a list of {len(STRIDES)} strides, not {brief(value)}")
    return tuple(tuple(step) if isinstance(step, (list, tuple)) else step for step in value)


@frozen(kw_only=True)
class PPLCNetV4Config(lcnet.LCNetKeys):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    hidden_act: str = activation("relu")
    stem_channels: tuple[int, ...] = fields.counts((3, 48, 96), 3)
    stem_strides: Any = fields.checked_field(_strides, STRIDES)
    stem_type: str = fields.choice("large", ("large", "small"))
    use_learnable_affine_block: bool = fields.flag(False)

    def __attrs_post_init__(self) -> None:
        if not equal(self.stem_channels[0], self.num_channels):
            raise ConfigError(f"stem_channels begins with {self.stem_channels[0]}, num_channels is {self.num_channels}")

    @property
    def default_blocks(self) -> tuple[tuple[lcnet.Block, ...], ...]:
        """The stages of a file that names none."""
        return BLOCKS


def stages(config: PPLCNetV4Config, workload: Workload, b: Builder, x: Value) -> list[Value]:
    """Returns the stem's map and each stage's."""
    return lcnet.encoded(config, workload, b, x, stem, block, "blocks")


def stem(config: PPLCNetV4Config, training: bool, b: Builder, x: Value) -> Value:
    """Returns the stem's map: of two convolutions, or of two paths of which one is pooled."""
    _, middle, out = config.stem_channels
    with b.scope("convolution"):
        if config.stem_type == "small":
            conv = partial(lcnet.padded_conv, b, training=training, act="", stride=2)
            return conv("conv2", b.apply("gelu", conv("conv1", x, middle, 3), name="act_fn"), out, 3)
        unit = partial(stem_unit, config, training, b)
        steps = config.stem_strides
        x = b.apply("pad", unit("stem1", x, middle, 3, steps[0]), name="padded", padding=((0, 1), (0, 1)))
        y = b.apply("pad", unit("stem2a", x, middle // 2, 2, steps[1]), name="padded_again", padding=((0, 1), (0, 1)))
        y = unit("stem2b", y, middle, 2, steps[2])
        x = b.apply("max_pool", x, name="pool", kernel=2, stride=1, ceil_mode=True)
        x = unit("stem3", b.apply("concat", x, y, name="both", dim=1), middle, 3, steps[3])
        return unit("stem4", x, out, 1, steps[4])


def stem_unit(
    config: PPLCNetV4Config, training: bool, b: Builder, name: str, x: Value, width: int, kernel: int, stride: Any
) -> Value:
    """Applies a convolution, a norm and an activation, and a learned scale and shift if the file asks for it."""
    act, pad = ACTIVATIONS[config.hidden_act], (kernel - 1) // 2
    x = conv_norm(b, name, x, width, kernel, training=training, act=act, stride=stride, padding=pad)
    return shifted(b, f"{name}.lab", x) if config.use_learnable_affine_block else x


def block(config: PPLCNetV4Config, training: bool, b: Builder, x: Value, one: lcnet.Block) -> Value:
    """Returns a map after a convolution of places, weights of channels and a network of channels."""
    kernel, taken, out, stride, weighted = one
    conv = partial(lcnet.padded_conv, b, training=training, act="")
    same = stride == 1 and taken == out
    if same:
        x = convolution(b, "token_conv", x, out, kernel, padding=kernel // 2, groups=taken, bias=True)
    else:
        x = conv("token_conv", x, taken, kernel, stride=stride, groups=taken)
    x = lcnet.weighted(b, "token_squeeze_excitation", x, config.reduction) if weighted else x
    y = b.apply("gelu", conv("channel_conv1", x, 2 * taken, 1), name="channel_act_fn")
    y = conv("channel_conv2", y, out, 1)
    return b.apply("add", x, y, name="residual") if same else y


ARCHITECTURE = lcnet.family(
    "pp_lcnet_v4",
    PPLCNetV4Config,
    PresetFiles(__file__),
    "PP-LCNet V4: convolutions of places, and a network of channels of each; maps of stages.",
    stages,
)
