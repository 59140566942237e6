"""RegNet: bottlenecks of grouped convolutions, in Y with squeeze and excitation (Radosavovic et al., 2020,
arXiv:2003.13678)."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if

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
from graphacct_vision.parts.layers import conv_norm, convolution, flat_logits
from graphacct_vision.parts.stages import ALIASES, Staged, repeated

CLASSES = ("RegNetModel", "RegNetForImageClassification")


@frozen(kw_only=True)
class RegNetConfig(Staged):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    embedding_size: Dim = fields.size(32)
    hidden_sizes: tuple[Dim, ...] = fields.counts((128, 192, 512, 1088))
    depths: tuple[Dim, ...] = fields.counts((2, 6, 12, 2))
    groups_width: Dim = fields.size(64)
    layer_type: str = fields.choice("y", ("x", "y"))
    downsample_in_first_stage: bool = fields.flag(True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if not all(has_value(size) for size in (self.embedding_size, self.groups_width, *self.hidden_sizes)):
            raise ConfigError("embedding_size, groups_width and hidden_sizes are integers: they decide the groups")


def build(config: RegNetConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, or to the last stage's output and its mean."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures.endswith("Model"):
        return encoded(config, workload, b, pixels)
    with b.scope("regnet"):
        _, x = encoded(config, workload, b, pixels)
    return flat_logits(b, "classifier.1", x, config.num_labels)


def encoded(config: RegNetConfig, workload: Workload, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns the last stage's output, and its mean over the image."""
    training, act = workload.phase == "train", ACTIVATIONS[config.hidden_act]
    with b.scope("embedder"):
        x = conv_norm(b, "embedder", x, config.embedding_size, 3, stride=2, padding=1, training=training, act=act)
    with b.scope("encoder.stages"):
        for index, (depth, channels) in enumerate(zip(config.depths, config.hidden_sizes, strict=True)):
            stride = 2 if index or config.downsample_in_first_stage else 1
            first, other = (partial(block, config, training, channels, step) for step in (stride, 1))
            x = repeated(f"{index}.layers", depth, first, other, b, x)
    return x, b.apply("mean", x, name="pooler", dim=(2, 3), keepdim=True)


def block(config: RegNetConfig, training: bool, channels: Any, stride: int, b: Builder, x: Value) -> Value:
    """Adds a bottleneck with its residual connection."""
    act = ACTIVATIONS[config.hidden_act]
    taken: Any = x.spec.shape[1]
    groups = max(1, channels // config.groups_width)
    conv = partial(conv_norm, b, training=training)
    b.hold(x)
    y = conv("layer.0", x, channels, act=act)
    y = conv("layer.1", y, channels, 3, stride=stride, padding=1, groups=groups, act=act)
    if config.layer_type == "y":
        with b.scope("layer.2"):
            y = excited(b, y, round(taken / 4))
    y = conv(f"layer.{3 if config.layer_type == 'y' else 2}", y, channels, act="")
    if stride != 1 or not equal(taken, channels):
        x = conv("shortcut", x, channels, stride=stride, act="")
    return activation(b, act, b.apply("add", y, x, name="residual"), "activation")


def excited(b: Builder, x: Value, reduced: Dim) -> Value:
    """Returns each channel times a number from 0 to 1 that is made of all channels' means."""
    y = b.apply("mean", x, name="pooler", dim=(2, 3), keepdim=True)
    y = b.apply("relu", convolution(b, "attention.0", y, reduced, bias=True), name="attention.1")
    y = b.apply("sigmoid", convolution(b, "attention.2", y, x.spec.shape[1], bias=True), name="attention.3")
    return b.apply("mul", x, y, name="excited")


ARCHITECTURE = Architecture(
    "regnet",
    RegNetConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    dtype="float32",
    aliases=ALIASES,
    model_types=("regnet",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="RegNet X and Y: bottlenecks of grouped convolutions, in Y with squeeze and excitation.",
)
