"""SwiftFormer: convolutions, and in each stage's last block attention whose cost grows with the places, not with their
pairs (Shaker et al., 2023, arXiv:2303.15446)."""

from __future__ import annotations

from functools import partial

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import drop_path, dropped, linear
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if

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
    floor_div,
    frozen,
)
from graphacct_vision.parts.backbones import ALIASES
from graphacct_vision.parts.layers import batch_norm, convolution
from graphacct_vision.parts.lists import check_stages, flags
from graphacct_vision.parts.windows import ratio, times
from graphacct_vision.vits.swinv2 import unit

CLASSES = ("SwiftFormerModel", "SwiftFormerForImageClassification")


@frozen(kw_only=True)
class SwiftFormerConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    num_channels: Dim = fields.size(3)
    depths: tuple[int, ...] = fields.counts((3, 3, 6, 4))
    embed_dims: tuple[Dim, ...] = fields.counts((48, 56, 112, 220))
    mlp_ratio: float = ratio(4)
    downsamples: tuple[bool, ...] = flags((True, True, True, True))
    hidden_act: str = activation("gelu")
    down_patch_size: tuple[int, int] = fields.sides(3)
    down_stride: int = fields.size(2)
    down_pad: int = fields.size(1, minimum=0)
    drop_path_rate: float = fields.probability(0.0)
    drop_mlp_rate: float = fields.probability(0.0)
    drop_conv_encoder_rate: float = fields.probability(0.0)
    use_layer_scale: bool = fields.flag(True)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if len(self.embed_dims) < len(self.depths) or len(self.downsamples) < len(self.depths) - 1:
            check_stages(len(self.depths), embed_dims=self.embed_dims, downsamples=self.downsamples)
        if any(type(depth) is not int for depth in self.depths):
            raise ConfigError("depths are integers: a stage's last block differs from the others")
        if self.depths == (1,):
            raise ConfigError("depths has one block: the library's class divides by the number of the others")

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes."""
        return self.architectures == CLASSES[1] and classes(self.num_labels)


def build(config: SwiftFormerConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to logits, or to the last stage's map."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return encoded(config, workload, b, pixels)
    with b.scope("swiftformer"):
        x = encoded(config, workload, b, pixels)
    x = batch_norm(b, "norm", x, training=workload.phase == "train")
    batch, channels, rows, columns = x.spec.shape
    x = b.apply("reshape", x, name="places", shape=(batch, channels, rows * columns))
    x = b.apply("mean", x, name="mean", dim=-1)
    heads = [
        x if equal(config.num_labels, 0) else linear(b, name, x, config.num_labels) for name in ("head", "dist_head")
    ]
    return b.apply("scale", b.apply("add", *heads, name="both"), name="logits")


def encoded(config: SwiftFormerConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the last stage's map."""
    training = workload.phase == "train"
    width = config.embed_dims[0]
    for place, channels in ((0, floor_div(width, 2)), (3, width)):
        with b.scope("patch_embed.patch_embedding"):
            x = convolution(b, f"{place}", x, channels, 3, stride=2, padding=1, bias=True)
            x = batch_norm(b, f"{place + 1}", x, training=training)
            x = b.apply("relu", x, name=f"{place + 2}")
    place, before = 0, 0
    with b.scope("encoder.network"):
        for stage, depth in enumerate(config.depths):
            if depth > 1:
                x = b.repeat(f"{place}.blocks", depth - 1, partial(convolved, config, workload), x)
            chance = config.drop_path_rate if before + depth > 1 else 0.0  # the rate grows from 0
            with b.scope(f"{place}.blocks.{depth - 1}"):
                x = attentive(config, workload, chance, b, x)
            place, before = place + 1, before + depth
            if stage + 1 == len(config.depths):
                break
            wider = config.embed_dims[stage + 1]
            if config.downsamples[stage] or not equal(config.embed_dims[stage], wider):
                with b.scope(f"{place}"):
                    options = {"stride": config.down_stride, "padding": config.down_pad}
                    x = convolution(b, "proj", x, wider, config.down_patch_size, bias=True, **options)
                    x = batch_norm(b, "norm", x, training=training)
                place += 1
    return x


def local(config: SwiftFormerConfig, workload: Workload, b: Builder, x: Value, hidden: Dim, chance: float) -> Value:
    """Returns a map with what each place sees around it added: a convolution of each channel, and two of each place."""
    width = x.spec.shape[1]
    y = convolution(b, "depth_wise_conv", x, width, 3, padding=1, groups=width, bias=True)
    y = batch_norm(b, "norm", y, training=workload.phase == "train")
    y = b.apply("gelu", convolution(b, "point_wise_conv1", y, hidden, bias=True), name="act")
    y = convolution(b, "point_wise_conv2", y, width, bias=True)
    y = dropped(b, "drop_path", scaled(b, "layer_scale", y), chance, workload)
    return b.apply("add", x, y, name="residual")


def scaled(b: Builder, name: str, x: Value) -> Value:
    """Returns a map times a parameter of its channels."""
    scale = b.parameter(name, (x.spec.shape[1], 1, 1))
    return b.apply("mul", scale, x, name=f"{name}_applied")


def convolved(config: SwiftFormerConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns a map after a block of convolutions."""
    hidden = times(x.spec.shape[1], config.mlp_ratio)
    return local(config, workload, b, x, hidden, config.drop_conv_encoder_rate)


def attentive(config: SwiftFormerConfig, workload: Workload, chance: float, b: Builder, x: Value) -> Value:
    """Returns a map after a block with attention."""
    batch, width, rows, columns = x.spec.shape
    with b.scope("local_representation"):
        x = local(config, workload, b, x, width, 0.0)
    y = b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1))
    y = b.apply("reshape", y, name="tokens", shape=(batch, rows * columns, width))
    with b.scope("attn"):
        y = attention(b, y)
    y = b.apply("reshape", y, name="map", shape=(batch, rows, columns, width))
    y = b.apply("permute", y, name="channels_first", dims=(0, 3, 1, 2))
    y = scaled(b, "layer_scale_1", y) if config.use_layer_scale else y
    x = b.apply("add", x, drop_path(b, "drop_path", y, chance, workload), name="attn_residual")
    with b.scope("linear"):
        y = batch_norm(b, "norm1", x, training=workload.phase == "train")
        y = convolution(b, "fc1", y, times(width, config.mlp_ratio), bias=True)
        y = dropped(b, "drop", activated(b, ACTIVATIONS[config.hidden_act], y), config.drop_mlp_rate, workload)
        y = dropped(b, "drop_after", convolution(b, "fc2", y, width, bias=True), config.drop_mlp_rate, workload)
    y = scaled(b, "layer_scale_2", y) if config.use_layer_scale else y
    return b.apply("add", x, drop_path(b, "drop_path_after", y, chance, workload), name="mlp_residual")


def attention(b: Builder, x: Value) -> Value:
    """Returns the tokens times one query of all of them, weighted by what each is worth."""
    _, count, width = x.spec.shape
    query = unit(b, linear(b, "to_query", x, width), "query")
    key = unit(b, linear(b, "to_key", x, width), "key")
    weight = b.apply("matmul", query, b.parameter("w_g", (width, 1)), name="worth")
    weight = b.apply("softmax", b.apply("scale", weight, name="worth_scaled"), name="weights")
    one = b.apply("sum", b.apply("mul", weight, query, name="weighted"), name="query_of_all", dim=1)
    one = b.apply("reshape", one, name="query_row", shape=(x.spec.shape[0], 1, width))
    one = b.apply("repeat", one, name="query_of_each", times=(1, count, 1))
    y = linear(b, "proj", b.apply("mul", one, key, name="read"), width)
    return linear(b, "final", b.apply("add", y, query, name="with_query"), width)


ARCHITECTURE = Architecture(
    "swiftformer",
    SwiftFormerConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    dtype="float32",
    aliases=ALIASES,
    no_cost={"layer_scale_init_value": None, "batch_norm_eps": None},
    model_types=("swiftformer",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="SwiftFormer: convolutions, and in each stage's last block attention without pairs of places.",
)
