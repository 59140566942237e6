"""TextNet: convolutions of three shapes side by side (Chen et al., 2021, FAST, arXiv:2111.02394)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation as activated
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
from graphacct_vision.parts.layers import batch_norm, convolution, flat_logits

CLASSES = ("TextNetModel", "TextNetForImageClassification", "TextNetBackbone")
KERNELS = (
    ((3, 3), (3, 3), (3, 3)),
    ((3, 3), (1, 3), (3, 3), (3, 1)),
    ((3, 3), (3, 3), (3, 1), (1, 3)),
    ((3, 3), (3, 1), (1, 3), (3, 3)),
)
STRIDES = ((1, 2, 1), (2, 1, 1, 1), (2, 1, 1, 1), (2, 1, 1, 1))
NAMED = 4
"""The stages that a backbone has names for."""


def _lists(depth: int, default: Any) -> Any:
    def fits(value: Any, left: int) -> bool:
        if not left:
            return type(value) is int and value > 0
        return (
            isinstance(value, Sequence) and not isinstance(value, str) and all(fits(part, left - 1) for part in value)
        )

    def frozen(value: Any) -> Any:
        return value if type(value) is int else tuple(map(frozen, value))

    def check(value: Any, field: attrs.Attribute[Any]) -> Any:
        if value is None:
            return default
        if not fits(value, depth):
            raise ConfigError(f"{field.name} is a list of each stage's layers, not {brief(value)}")
        return frozen(value)

    return fields.checked_field(check, default, metadata=fields.OPTIONAL)


def _act(value: Any, field: attrs.Attribute[Any]) -> str | None:
    if value is None or (isinstance(value, str) and value in ACTIVATIONS):
        return value
    raise ConfigError(f"{field.name} is the name of an activation or null, not {brief(value)}")


@frozen(kw_only=True)
class TextNetConfig(Backbone):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    stem_kernel_size: int = fields.size(3)
    stem_stride: int = fields.size(2)
    stem_num_channels: Dim = fields.size(3)
    stem_out_channels: Dim = fields.size(64)
    stem_act_func: str | None = fields.checked_field(_act, "relu", metadata=fields.OPTIONAL)
    image_size: tuple[Dim, Dim] = fields.sides(640)
    conv_layer_kernel_sizes: Any = _lists(3, KERNELS)
    conv_layer_strides: Any = _lists(2, STRIDES)
    hidden_sizes: tuple[Dim, ...] = fields.counts((64, 64, 128, 256, 512))

    def __attrs_post_init__(self) -> None:
        stages = len(self.conv_layer_kernel_sizes)
        if len(self.conv_layer_strides) < stages or len(self.hidden_sizes) < stages + 1:
            raise ConfigError(
                f"conv_layer_kernel_sizes has {stages} stages, conv_layer_strides {len(self.conv_layer_strides)} and "
                f"hidden_sizes {len(self.hidden_sizes)}: one for each, and one of the stem"
            )
        if any(len(kernel) != 2 for kernels in self.conv_layer_kernel_sizes for kernel in kernels):
            raise ConfigError("conv_layer_kernel_sizes are pairs of rows and columns")


def build(config: TextNetConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, to the last stage's map and a pooled one, or to maps of stages."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.stem_num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return stages(config, workload, b, pixels)[-2:]
    with b.scope("textnet"):
        *found, _ = stages(config, workload, b, pixels)
    if config.architectures == CLASSES[2]:
        return tuple(found[place] for place in config.handed_on(NAMED))
    x = b.apply("mean", found[-1], name="avg_pool", dim=(2, 3), keepdim=True)
    return flat_logits(b, "fc", x, config.num_labels)


def stages(config: TextNetConfig, workload: Workload, b: Builder, x: Value) -> tuple[Value, ...]:
    """Returns the stem's map, each stage's, and the last one pooled to four places."""
    training, kernel = workload.phase == "train", config.stem_kernel_size
    with b.scope("stem"):
        options: dict[str, Any] = {"stride": config.stem_stride, "padding": kernel // 2}
        x = convolution(b, "conv", x, config.stem_out_channels, kernel, **options)
        x = batch_norm(b, "batch_norm", x, training=training)
        if config.stem_act_func is not None:
            x = activated(b, ACTIVATIONS[config.stem_act_func], x, "activation")
    if not equal(config.stem_out_channels, config.hidden_sizes[0]):
        raise ConfigError(
            f"stem_out_channels is {config.stem_out_channels}, but hidden_sizes begins with {config.hidden_sizes[0]}"
        )
    found = [x]
    for stage, kernels in enumerate(config.conv_layer_kernel_sizes):
        for place, (sides, stride) in enumerate(zip(kernels, config.conv_layer_strides[stage], strict=False)):
            with b.scope(f"encoder.stages.{stage}.stage.{place}"):
                x = branched(b, x, config.hidden_sizes[stage + 1], sides, stride, training)
        found.append(x)
    return *found, b.apply("adaptive_avg_pool", x, name="pooler", size=(2, 2))


def branched(b: Builder, x: Value, width: Dim, kernel: tuple[int, int], stride: int, training: bool) -> Value:
    """Returns the sum of a convolution, one of its rows, one of its columns and the map itself, each normalized."""
    rows, columns = kernel
    parts = {"main": kernel}
    parts |= {"vertical": (rows, 1)} if columns != 1 else {}
    parts |= {"horizontal": (1, columns)} if rows != 1 else {}
    total: Value | None = None
    for name, sides in parts.items():
        padding = tuple((side - 1) // 2 for side in sides)
        y = convolution(b, f"{name}_conv", x, width, sides, stride=stride, padding=padding)
        y = batch_norm(b, f"{name}_batch_norm", y, training=training)
        total = y if total is None else b.apply("add", total, y, name=f"with_{name}")
    assert total is not None
    if stride == 1 and equal(x.spec.shape[1], width):
        total = b.apply("add", total, batch_norm(b, "rbr_identity", x, training=training), name="with_identity")
    return b.apply("relu", total, name="activation_function")


ARCHITECTURE = Architecture(
    "textnet",
    TextNetConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    dtype="float32",
    aliases=ALIASES,
    no_cost={"batch_norm_eps": None, "depths": None},
    model_types=("textnet",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="TextNet: convolutions of three shapes side by side, each with a batch norm.",
)
