"""DINOv3's ConvNeXt: ConvNeXt under the names of its own class, with the image's mean as a token in front.

Siméoni et al., 2025 (arXiv:2508.10104).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import drop_path, layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, frozen, prod
from graphacct_vision.convnets.convnext import norm_of_channels, patched
from graphacct_vision.parts.stages import ALIASES, Staged, repeated

CLASSES = ("DINOv3ConvNextModel", "DINOv3ConvNextBackbone")


def _sizes(default: tuple[int, ...]) -> Any:
    """Returns counts of which null in a file means the class's default."""
    field = fields.counts(default)
    check = field.converter.converter

    def checked(value: Any, own: attrs.Attribute[Any]) -> Any:
        return default if value is None else check(value, own)

    return fields.checked_field(checked, default, metadata=fields.OPTIONAL_SIZE)


@frozen(kw_only=True)
class DINOv3ConvNextConfig(Staged):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    depths: tuple[Dim, ...] = _sizes((3, 3, 9, 3))
    hidden_sizes: tuple[Dim, ...] = _sizes((96, 192, 384, 768))
    hidden_act: str = activation("gelu")
    drop_path_rate: float = fields.probability(0.0)


def build(config: DINOv3ConvNextConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to the image's mean and its places as tokens, and the mean; or to maps of
    stages."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    with b.scope("model.stages"):
        found = stages(config, workload, b, pixels)
    if config.architectures.endswith("Backbone"):
        return tuple(found[place] for place in config.handed_on(len(config.depths)))
    x = found[-1]
    batch, channels, *places = x.spec.shape
    mean = b.apply("mean", x, name="pool", dim=(2, 3), keepdim=True)
    tokens = [
        b.apply(
            "transpose",
            b.apply("reshape", part, name=f"{name}_flat", shape=(batch, channels, count)),
            name=name,
            dims=(1, 2),
        )
        for name, part, count in (("mean_token", mean, 1), ("places", x, prod(places)))
    ]
    x = layer_norm(b, "layer_norm", b.apply("concat", *tokens, name="tokens", dim=1))
    return x, b.apply("select", x, name="pooled", dim=1)


def stages(config: DINOv3ConvNextConfig, workload: Workload, b: Builder, x: Value) -> list[Value]:
    """Returns the image and each stage's output."""
    found = [x]
    for index, (depth, channels) in enumerate(zip(config.depths, config.hidden_sizes, strict=True)):
        with b.scope(f"{index}.downsample_layers"):
            if index:
                x = patched(b, "1", norm_of_channels(b, "0", x), channels, (2, 2))
            else:
                x = norm_of_channels(b, "1", patched(b, "0", x, channels, (4, 4)))
        body = partial(block, config, workload, config.drop_path_rate)
        first = body if index else partial(block, config, workload, 0.0)  # the rate grows from 0
        x = repeated(f"{index}.layers", depth, first, body, b, x)
        found.append(x)
    return found


def block(config: DINOv3ConvNextConfig, workload: Workload, rate: float, b: Builder, x: Value) -> Value:
    """Applies a convolution to each channel, a norm and two linear layers; the result is scaled and added."""
    channels = x.spec.shape[1]
    b.hold(x)
    weight, bias = (
        b.parameter("depthwise_conv.weight", (channels, 1, 7, 7)),
        b.parameter("depthwise_conv.bias", (channels,)),
    )
    y = b.apply("convolution", x, weight, bias, name="depthwise_conv", padding=3, groups=channels)
    y = layer_norm(b, "layer_norm", b.apply("permute", y, name="channels_last", dims=(0, 2, 3, 1)))
    y = activated(b, ACTIVATIONS[config.hidden_act], linear(b, "pointwise_conv1", y, 4 * channels))
    y = linear(b, "pointwise_conv2", y, channels)
    y = b.apply("mul", y, b.parameter("gamma", (channels,)), name="layer_scale")
    y = b.apply("permute", y, name="channels_first", dims=(0, 3, 1, 2))
    return b.apply("add", x, drop_path(b, "drop_path", y, rate, workload), name="residual")


ARCHITECTURE = Architecture(
    "dinov3_convnext",
    DINOv3ConvNextConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    dtype="float32",
    aliases=ALIASES,
    no_cost={"layer_scale_init_value": None, "num_stages": None},
    model_types=("dinov3_convnext",),
    losses=SUM_ALONE,
    doc="DINOv3's ConvNeXt: its last map's mean and places as normalized tokens, or maps of stages.",
)
