"""ConvNeXt: convolutions shaped like a Transformer (Liu et al., 2022, arXiv:2201.03545)."""

from __future__ import annotations

from functools import partial

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields, same
from graphacct_vision.stages import ALIASES, Staged, repeated

MODEL, CLASSIFIER = "ConvNextModel", "ConvNextForImageClassification"


@attrs.frozen(kw_only=True)
class ConvNextConfig(Staged):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, CLASSIFIER))
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
    """Returns the graph from pixels to logits, or to the last stage's output and the pooled one."""
    if config.drop_path_rate and workload.phase == "train":
        raise ConfigError(
            f"drop_path_rate {config.drop_path_rate}: whole blocks that are dropped in training are not modelled; "
            "add --set drop_path_rate=0"
        )
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == MODEL:
        return encoded(config, b, pixels)
    with b.scope("convnext"):
        _, x = encoded(config, b, pixels)
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def encoded(config: ConvNextConfig, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns the last stage's output, and its normalized mean over the image."""
    with b.scope("embeddings"):
        x = patched(b, "patch_embeddings", x, config.hidden_sizes[0], config.patch_size)
        x = norm_of_channels(b, "layernorm", x)
    with b.scope("encoder.stages"):
        for index, (depth, channels) in enumerate(zip(config.depths, config.hidden_sizes, strict=True)):
            if index:
                with b.scope(f"{index}.downsampling_layer"):
                    x = norm_of_channels(b, "0", x)
                    x = patched(b, "1", x, channels, (2, 2))
            body = partial(block, config)
            x = repeated(f"{index}.layers", depth, body, body, b, x)
    return x, layer_norm(b, "layernorm", b.apply("mean", x, name="pooled", dim=(2, 3)))


def block(config: ConvNextConfig, b: Builder, x: Value) -> Value:
    """Applies a convolution to each channel, a norm and two linear layers; the result is scaled and added."""
    channels = x.spec.shape[1]
    b.hold(x)
    weight = b.parameter("dwconv.weight", (channels, 1, 7, 7))
    bias = b.parameter("dwconv.bias", (channels,))
    y = b.apply("convolution", x, weight, bias, name="dwconv", padding=3, groups=channels)
    y = layer_norm(b, "layernorm", b.apply("permute", y, name="channels_last", dims=(0, 2, 3, 1)))
    y = activated(b, ACTIVATIONS[config.hidden_act], linear(b, "pwconv1", y, 4 * channels))
    y = linear(b, "pwconv2", y, channels)
    if config.layer_scale_init_value > 0:
        y = b.apply("mul", b.parameter("layer_scale_parameter", (channels,)), y, name="layer_scale")
    return b.apply("add", x, b.apply("permute", y, name="channels_first", dims=(0, 3, 1, 2)), name="residual")


def patched(b: Builder, name: str, x: Value, channels: Dim, step: tuple[Dim, Dim]) -> Value:
    """Applies a convolution whose stride is its kernel."""
    weight = b.parameter(f"{name}.weight", (channels, x.spec.shape[1], *step))
    return b.apply("convolution", x, weight, b.parameter(f"{name}.bias", (channels,)), name=name, stride=step)


def norm_of_channels(b: Builder, name: str, x: Value) -> Value:
    """Returns x (batch, channels, …) normalized over its channels."""
    x = b.apply("permute", x, name=f"{name}_channels_last", dims=(0, 2, 3, 1))
    return b.apply("permute", layer_norm(b, name, x), name=f"{name}_channels_first", dims=(0, 3, 1, 2))


ARCHITECTURE = Architecture(
    "convnext",
    ConvNextConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    dtype="float32",
    aliases={**ALIASES, "num_hidden_layers": "num_stages"},
    translated=frozenset({"num_hidden_layers"}),
    model_types=("convnext",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="ConvNeXt: a 7x7 convolution of each channel, a norm and two linear layers a block.",
)
