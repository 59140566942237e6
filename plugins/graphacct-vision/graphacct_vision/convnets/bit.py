"""BiT: a ResNet whose convolutions' weights are standardized, with group norms (Kolesnikov et al., 2019,
arXiv:1912.11370)."""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import drop_path
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
    exact_div,
    fields,
    frozen,
    prod,
)
from graphacct_vision.parts.inverted import divisible
from graphacct_vision.parts.layers import flat_logits, group_norm
from graphacct_vision.parts.stages import ALIASES, Staged, repeated

CLASSES = ("BitModel", "BitForImageClassification", "BitBackbone")
BEFORE, SAME, VALID = "preactivation", "SAME", "VALID"


def _padding(value: Any, field: attrs.Attribute[Any]) -> str | None:
    if value is None or (isinstance(value, str) and value.upper() in (SAME, VALID)):
        return value and value.upper()
    raise ConfigError(f"{field.name} is {SAME!r}, {VALID!r} or null, not {brief(value)}")


@frozen(kw_only=True)
class BitConfig(Staged):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    embedding_size: int = fields.size(64)
    layer_type: str = fields.choice(BEFORE, (BEFORE, "bottleneck"))
    global_padding: str | None = fields.checked_field(_padding, None, metadata=fields.OPTIONAL)
    num_groups: int = fields.size(32)
    drop_path_rate: float = fields.probability(0.0)
    embedding_dynamic_padding: bool = fields.flag(False)
    output_stride: int = fields.size(32)
    width_factor: int = fields.size(1)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.global_padding == VALID:
            raise ConfigError("global_padding is 'VALID': the library's class cannot add maps of other sizes")
        if self.width_factor != 1 and (self.layer_type == BEFORE or self.architectures != CLASSES[2]):
            wide = [self.channels(stage) for stage in range(len(self.depths))]
            if wide[-1] != self.hidden_sizes[-1]:
                raise ConfigError(
                    f"width_factor is {self.width_factor}: the class's norm and head take hidden_sizes "
                    f"{self.hidden_sizes[-1]}, not {wide[-1]} channels"
                )

    def channels(self, stage: int) -> int:
        """Returns the channels of a stage, a multiple of 8."""
        size = self.hidden_sizes[stage]
        if type(size) is not int:
            raise ConfigError("hidden_sizes are integers: a block's middle is a multiple of 8")
        return divisible(size * self.width_factor, 8)


def build(config: BitConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, to the last stage's output and the pooled one, or to maps of stages."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return encoded(config, workload, b, pixels)[-2:]
    with b.scope("bit"):
        *found, _, x = encoded(config, workload, b, pixels)
    if config.architectures == CLASSES[2]:
        return tuple(found[place] for place in config.handed_on(len(config.depths)))
    return flat_logits(b, "classifier.1", x, config.num_labels)


def encoded(config: BitConfig, workload: Workload, b: Builder, x: Value) -> tuple[Value, ...]:
    """Returns the stem's output, each stage's, the last normalized, and its mean over the image."""
    before = config.layer_type == BEFORE
    with b.scope("embedder"):
        x = standardized(config, b, "convolution", x, config.embedding_size, 7, stride=2)
        if config.global_padding != SAME:
            x = b.apply("pad", x, name="pad", padding=((1, 1), (1, 1)))
        x = x if before else normed(config, b, "norm", x)
        if config.embedding_dynamic_padding:
            x = as_needed(b, "pooler.pad", x, 3, 2)
        x = b.apply("max_pool", x, name="pooler", kernel=3, stride=2)
    found, reached, dilation = [x], 4, 1
    with b.scope("encoder.stages"):
        for stage, depth in enumerate(config.depths):
            stride = 2 if stage else 1
            if reached >= config.output_stride:
                dilation, stride = dilation * stride, 1
            reached *= stride
            first_dilation = 1 if dilation in (1, 2) else 2
            make = partial(block, config, workload, config.channels(stage))
            chance = config.drop_path_rate
            first = partial(make, stride, first_dilation, chance if stage else 0.0, True)  # the rate grows from 0
            x = repeated(f"{stage}.layers", depth, first, partial(make, 1, dilation, chance, False), b, x)
            found.append(x)
    x = normed(config, b, "norm", x) if before else x
    return *found, x, b.apply("mean", x, name="pooler", dim=(2, 3), keepdim=True)


def normed(config: BitConfig, b: Builder, name: str, x: Value, *, active: bool = True) -> Value:
    """Applies a group norm, and the activation."""
    exact_div(x.spec.shape[1], config.num_groups, f"channels of {name} / num_groups")
    x = group_norm(b, name, x, config.num_groups)
    return activated(b, ACTIVATIONS[config.hidden_act], x, f"{name}_activation") if active else x


def standardized(
    config: BitConfig, b: Builder, name: str, x: Value, width: Dim, kernel: int, *, stride: int = 1, dilation: int = 1
) -> Value:
    """Applies a convolution whose weight has a mean of 0 and a variance of 1 for each channel."""
    padding = (stride - 1 + dilation * (kernel - 1)) // 2
    if config.global_padding == SAME and (stride != 1 or dilation * (kernel - 1) % 2):
        x, padding = as_needed(b, f"{name}_pad", x, kernel, stride, dilation), 0
    shape = (width, x.spec.shape[1], kernel, kernel)
    weight = b.apply(
        "reshape", b.parameter(f"{name}.weight", shape), name=f"{name}_rows", shape=(1, width, prod(shape[1:]))
    )
    weight = b.apply("batch_norm", weight, name=f"{name}_standardized", training=True)
    weight = b.apply("reshape", weight, name=f"{name}_kernels", shape=shape)
    return b.apply("convolution", x, weight, name=name, stride=stride, padding=padding, dilation=dilation)


def as_needed(b: Builder, name: str, x: Value, kernel: int, stride: int, dilation: int = 1) -> Value:
    """Returns a map with zeros around it, so that steps of a stride cover it."""
    rest = []
    for side in x.spec.shape[2:]:
        if type(side) is not int:
            raise ConfigError("image_size must be a number: padding depends on what is left of the steps")
        missing = max((-(-side // stride) - 1) * stride + (kernel - 1) * dilation + 1 - side, 0)
        rest.append((missing // 2, missing - missing // 2))
    return b.apply("pad", x, name=name, padding=tuple(rest)) if any(map(any, rest)) else x


def block(
    config: BitConfig,
    workload: Workload,
    channels: int,
    stride: int,
    dilation: int,
    chance: float,
    first: bool,
    b: Builder,
    x: Value,
) -> Value:
    """Adds convolutions 1x1, 3x3 and 1x1 with a narrow middle, whose norms come before each or after each. A stage's
    first one has a convolution beside it."""
    before = config.layer_type == BEFORE
    inner = divisible(channels * 0.25, 8)
    y = normed(config, b, "norm1", x) if before else x
    if first:
        x = standardized(config, b, "downsample.conv", y, channels, 1, stride=stride)
        x = x if before else normed(config, b, "downsample.norm", x, active=False)
    steps: tuple[tuple[int, int, dict[str, int]], ...]
    middle = {"stride": stride} | ({} if before else {"dilation": dilation})
    steps = ((inner, 1, {}), (inner, 3, middle), (channels, 1, {}))
    for place, (width, kernel, options) in enumerate(steps, 1):
        y = standardized(config, b, f"conv{place}", y, width, kernel, **options)
        if before and place < len(steps):
            y = normed(config, b, f"norm{place + 1}", y)
        if not before:
            y = normed(config, b, f"norm{place}", y, active=place < len(steps))
    y = b.apply("add", drop_path(b, "drop_path", y, chance, workload), x, name="residual")
    return y if before else activated(b, ACTIVATIONS[config.hidden_act], y, "activation")


ARCHITECTURE = Architecture(
    "bit",
    BitConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    dtype="float32",
    aliases=ALIASES,
    model_types=("bit",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="BiT: a ResNet whose convolutions' weights are standardized, with group norms before each or after.",
)
