"""ConvNeXt: convolutions shaped like a Transformer (Liu et al., 2022, arXiv:2201.03545)."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import drop_path, layer_norm, linear
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields, frozen, same
from graphacct_vision.parts.stages import ALIASES, Staged, repeated

CLASSES = ("ConvNextModel", "ConvNextForImageClassification", "ConvNextBackbone")


@frozen(kw_only=True)
class ConvNextConfig(Staged):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "convnext"
    """The encoder's name in a class with a head."""
    RESPONSES: ClassVar[bool] = False
    """Whether a block's wide layer is followed by global response normalization."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    depths: tuple[Dim, ...] = fields.counts((3, 3, 9, 3))
    hidden_sizes: tuple[Dim, ...] = fields.counts((96, 192, 384, 768))
    num_stages: Dim | None = fields.optional_size()
    hidden_act: str = activation("gelu")
    patch_size: tuple[Dim, Dim] = fields.sides(4)
    layer_scale_init_value: float = attrs.field(default=1e-6)
    drop_path_rate: float = fields.probability(0.0)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.num_stages is not None and not same(self.num_stages, len(self.depths)):
            raise ConfigError(f"num_stages is {self.num_stages}, but depths has {len(self.depths)}: one for each stage")
        scale = self.layer_scale_init_value
        if isinstance(scale, bool) or not isinstance(scale, (int, float)):
            raise ConfigError(f"layer_scale_init_value is a number, not {scale!r}")


def build(config: ConvNextConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, to the last stage's output and the pooled one, or to maps of stages."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures.endswith("Backbone"):
        places, found = config.handed_on(len(config.depths)), stages(config, workload, b, pixels)
        with b.scope("hidden_states_norms"):
            names = ["stem", *(f"stage{place}" for place in range(1, len(found)))]
            return tuple(norm_of_channels(b, names[place], found[place]) for place in places)
    if config.architectures.endswith("Model"):
        return encoded(config, workload, b, pixels)
    with b.scope(config.SCOPE):
        _, x = encoded(config, workload, b, pixels)
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def encoded(config: ConvNextConfig, workload: Workload, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns the last stage's output, and its normalized mean over the image."""
    x = stages(config, workload, b, x)[-1]
    return x, layer_norm(b, "layernorm", b.apply("mean", x, name="pooled", dim=(2, 3)))


def stages(config: ConvNextConfig, workload: Workload, b: Builder, x: Value) -> list[Value]:
    """Returns the stem's output and each stage's."""
    with b.scope("embeddings"):
        x = patched(b, "patch_embeddings", x, config.hidden_sizes[0], config.patch_size)
        x = norm_of_channels(b, "layernorm", x)
    found = [x]
    with b.scope("encoder.stages"):
        for index, (depth, channels) in enumerate(zip(config.depths, config.hidden_sizes, strict=True)):
            if index:
                with b.scope(f"{index}.downsampling_layer"):
                    x = norm_of_channels(b, "0", x)
                    x = patched(b, "1", x, channels, (2, 2))
            body = partial(block, config, workload, config.drop_path_rate)
            first = body if index else partial(block, config, workload, 0.0)  # the rate grows from 0
            x = repeated(f"{index}.layers", depth, first, body, b, x)
            found.append(x)
    return found


def block(config: ConvNextConfig, workload: Workload, dropped: float, b: Builder, x: Value) -> Value:
    """Applies a convolution to each channel, a norm and two linear layers; the result is scaled and added."""
    channels = x.spec.shape[1]
    b.hold(x)
    weight = b.parameter("dwconv.weight", (channels, 1, 7, 7))
    bias = b.parameter("dwconv.bias", (channels,))
    y = b.apply("convolution", x, weight, bias, name="dwconv", padding=3, groups=channels)
    y = layer_norm(b, "layernorm", b.apply("permute", y, name="channels_last", dims=(0, 2, 3, 1)))
    y = activated(b, ACTIVATIONS[config.hidden_act], linear(b, "pwconv1", y, 4 * channels))
    if config.RESPONSES:
        y = response_norm(b, "grn", y)
    y = linear(b, "pwconv2", y, channels)
    if not config.RESPONSES and config.layer_scale_init_value > 0:
        y = b.apply("mul", b.parameter("layer_scale_parameter", (channels,)), y, name="layer_scale")
    y = b.apply("permute", y, name="channels_first", dims=(0, 3, 1, 2))
    return b.apply("add", x, drop_path(b, "drop_path", y, dropped, workload), name="residual")


def response_norm(b: Builder, name: str, x: Value) -> Value:
    """Returns x (batch, rows, columns, channels) with each channel scaled by its norm over the image relative to the
    other channels' (Woo et al., 2023, arXiv:2301.00808)."""
    channels = x.spec.shape[-1]
    with b.scope(name):
        norms = b.apply("vector_norm", x, name="norms", dim=(1, 2), keepdim=True)
        mean = b.apply("shift", b.apply("mean", norms, name="mean", dim=-1, keepdim=True), name="above_zero")
        relative = b.apply("div", norms, mean, name="relative")
        weight, bias = (b.parameter(part, (1, 1, 1, channels)) for part in ("weight", "bias"))
        y = b.apply("mul", weight, b.apply("mul", x, relative, name="scaled"), name="weighted")
        return b.apply("add", b.apply("add", y, bias, name="shifted"), x, name="residual")


def patched(b: Builder, name: str, x: Value, channels: Dim, step: tuple[Dim, Dim]) -> Value:
    """Applies a convolution whose stride is its kernel."""
    weight = b.parameter(f"{name}.weight", (channels, x.spec.shape[1], *step))
    return b.apply("convolution", x, weight, b.parameter(f"{name}.bias", (channels,)), name=name, stride=step)


def norm_of_channels(b: Builder, name: str, x: Value) -> Value:
    """Returns x (batch, channels, …) normalized over its channels."""
    x = b.apply("permute", x, name=f"{name}_channels_last", dims=(0, 2, 3, 1))
    return b.apply("permute", layer_norm(b, name, x), name=f"{name}_channels_first", dims=(0, 3, 1, 2))


def family(name: str, config: type[ConvNextConfig], presets: PresetFiles, doc: str) -> Architecture:
    """Returns the architecture of a family of which its configuration class says everything."""
    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={"image_size": lambda config: config.image_size},
        dtype="float32",
        aliases={**ALIASES, "num_hidden_layers": "num_stages"},
        translated=frozenset({"num_hidden_layers"}),
        model_types=(name,),
        losses=LOSSES,
        default_loss=lambda config: entropy_if(config.labelled),
        doc=doc,
    )


ARCHITECTURE = family(
    "convnext",
    ConvNextConfig,
    PresetFiles(__file__),
    "ConvNeXt: a 7x7 convolution of each channel, a norm and two linear layers a block.",
)
