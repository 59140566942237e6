"""ResNet as the transformers library writes it (He et al., 2015, arXiv:1512.03385).

The models are torchvision's with other parameter names, and a config.json gives the sizes.
"""

from __future__ import annotations

from functools import partial

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, equal, exact_div, fields, frozen
from graphacct_vision.parts.layers import batch_norm, frozen_norm
from graphacct_vision.parts.stages import ALIASES, Staged, repeated

CLASSES = ("ResNetModel", "ResNetForImageClassification", "ResNetBackbone")
FROZEN, TRAINED = "frozen", "trained with frozen norms"
REDUCTION = 4
"""The factor by which the middle of a bottleneck is narrower."""


@frozen(kw_only=True)
class HFResNetConfig(Staged):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    embedding_size: Dim = fields.size(64)
    layer_type: str = fields.choice("bottleneck", ("basic", "bottleneck"))
    downsample_in_first_stage: bool = fields.flag(False)
    downsample_in_bottleneck: bool = fields.flag(False)


def build(config: HFResNetConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, to the last stage's output and the pooled one, or to maps of stages."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures.endswith("Backbone"):
        found = stages(config, workload, b, pixels)
        return tuple(found[place] for place in config.handed_on(len(config.depths)))
    if config.architectures.endswith("Model"):
        return encoded(config, workload, b, pixels)
    with b.scope("resnet"):
        _, x = encoded(config, workload, b, pixels)
    batch, channels = x.spec.shape[:2]
    x = b.apply("reshape", x, name="flattened", shape=(batch, channels))
    if equal(config.num_labels, 0):
        return x
    weight = b.parameter("classifier.1.weight", (config.num_labels, channels))
    return b.apply("linear", x, weight, b.parameter("classifier.1.bias", (config.num_labels,)), name="classifier.1")


def encoded(config: HFResNetConfig, workload: Workload, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns the last stage's output, and its mean over the image."""
    x = stages(config, workload, b, x)[-1]
    return x, b.apply("mean", x, name="pooler", dim=(2, 3), keepdim=True)


def stages(
    config: HFResNetConfig, workload: Workload, b: Builder, x: Value, *, frozen: bool = False, trained: bool = False
) -> list[Value]:
    """Returns the stem's output and each stage's. In a `frozen` one the norms are what they learned, and no parameter
    is trained unless convolutions are `trained`."""
    mode = (TRAINED if trained else FROZEN) if frozen else workload.phase
    conv = partial(convolved, mode, config.hidden_act)
    with b.scope("embedder"):
        with b.scope("embedder"):
            x = conv(b, x, config.embedding_size, kernel=7, stride=2)
        x = b.apply("max_pool", x, name="pooler", kernel=3, stride=2, padding=1)
    found = [x]
    with b.scope("encoder.stages"):
        for index, (depth, channels) in enumerate(zip(config.depths, config.hidden_sizes, strict=True)):
            stride = 2 if index or config.downsample_in_first_stage else 1
            first, other = (partial(block, config, mode, channels, step) for step in (stride, 1))
            x = repeated(f"{index}.layers", depth, first, other, b, x)
            found.append(x)
    return found


def block(config: HFResNetConfig, mode: str, channels: Dim, stride: int, b: Builder, x: Value) -> Value:
    """Adds convolutions with a residual connection: two 3x3, or 1x1, 3x3 and 1x1 with a narrow middle."""
    steps: list[tuple[Dim, int, int, str]]
    if config.layer_type == "basic":
        steps = [(channels, 3, stride, "relu"), (channels, 3, 1, "")]
    else:
        inner = exact_div(channels, REDUCTION, f"hidden_sizes / {REDUCTION}")
        early = stride if config.downsample_in_bottleneck else 1
        steps = [(inner, 1, early, "relu"), (inner, 3, stride // early, "relu"), (channels, 1, 1, "")]
    y = x
    for index, (width, kernel, step, act) in enumerate(steps):
        with b.scope(f"layer.{index}"):
            y = convolved(mode, act, b, y, width, kernel=kernel, stride=step)
    if stride != 1 or not equal(x.spec.shape[1], channels):
        with b.scope("shortcut"):
            x = convolved(mode, "", b, x, channels, stride=stride)
    return activation(b, ACTIVATIONS[config.hidden_act], b.apply("add", y, x, name="residual"), "activation")


def convolved(mode: str, act: str, b: Builder, x: Value, channels: Dim, *, kernel: int = 1, stride: int = 1) -> Value:
    """Applies a convolution without bias, a batch norm and the activation, if there is one. `mode` is the phase, or
    that the parameters are frozen, or the norms alone."""
    frozen = mode == FROZEN
    weight = b.parameter("convolution.weight", (channels, x.spec.shape[1], kernel, kernel), frozen=frozen)
    x = b.apply("convolution", x, weight, name="convolution", stride=stride, padding=kernel // 2)
    name = "normalization"
    x = frozen_norm(b, name, x) if mode in (FROZEN, TRAINED) else batch_norm(b, name, x, training=mode == "train")
    return activation(b, ACTIVATIONS[act], x, "activation") if act else x


ARCHITECTURE = Architecture(
    "hf-resnet",
    HFResNetConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    dtype="float32",
    aliases=ALIASES,
    model_types=("resnet",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="ResNet under the transformers library's names, from its config.json; torchvision's is `resnet`.",
)
