"""PoolFormer: blocks that mix places by an average, without attention (Yu et al., 2021, arXiv:2111.11418)."""

from __future__ import annotations

from functools import partial

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import drop_path, linear
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_vision.parts.layers import convolution
from graphacct_vision.parts.lists import check_blocks
from graphacct_vision.parts.stages import repeated
from graphacct_vision.parts.windows import ratio, times

CLASSES = ("PoolFormerModel", "PoolFormerForImageClassification")
LISTS = ("depths", "hidden_sizes", "patch_sizes", "strides", "padding")


@frozen(kw_only=True)
class PoolFormerConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    num_channels: Dim = fields.size(3)
    pool_size: int = fields.size(3)
    mlp_ratio: float = ratio(4.0)
    depths: tuple[Dim, ...] = fields.counts((2, 2, 6, 2))
    hidden_sizes: tuple[Dim, ...] = fields.counts((64, 128, 320, 512))
    patch_sizes: tuple[Dim, ...] = fields.counts((7, 3, 3, 3))
    strides: tuple[Dim, ...] = fields.counts((4, 2, 2, 2))
    padding: tuple[Dim, ...] = fields.counts((2, 1, 1, 1))
    num_encoder_blocks: Dim = fields.size(4)
    drop_path_rate: float = fields.probability(0.0)
    hidden_act: str = activation("gelu")
    use_layer_scale: bool = fields.flag(True)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        check_blocks(self, LISTS)

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes."""
        return self.architectures.endswith("ForImageClassification") and classes(self.num_labels)


def build(config: PoolFormerConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to the last stage's map, or to logits."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures.endswith("Model"):
        return encoded(config, workload, b, pixels)
    with b.scope("poolformer"):
        x = encoded(config, workload, b, pixels)
    x = b.apply("mean", norm(b, "norm", x), name="mean", dim=(2, 3))
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def encoded(config: PoolFormerConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the last stage's map."""
    with b.scope("encoder"):
        for index, (depth, width) in enumerate(zip(config.depths, config.hidden_sizes, strict=True)):
            size, step, pad = config.patch_sizes[index], config.strides[index], config.padding[index]
            name = f"patch_embeddings.{index}.projection"
            x = convolution(b, name, x, width, size, stride=step, padding=pad, bias=True)
            body = partial(block, config, workload, config.drop_path_rate)
            first = body if index else partial(block, config, workload, 0.0)  # the rate grows from 0
            x = repeated(f"block.{index}", depth, first, body, b, x)
    return x


def norm(b: Builder, name: str, x: Value) -> Value:
    """Returns x normalized over all channels and places together."""
    parts = (b.parameter(f"{name}.{part}", x.spec.shape[1:2]) for part in ("weight", "bias"))
    found: Value = b.apply("group_norm", x, *parts, name=name, groups=1)
    return found


def block(config: PoolFormerConfig, workload: Workload, rate: float, b: Builder, x: Value) -> Value:
    """Adds what an average of neighbours differs by, then a network of 1x1 convolutions."""
    width = x.spec.shape[1]
    b.hold(x)
    y = norm(b, "before_norm", x)
    size = config.pool_size
    mean = b.apply("avg_pool", y, name="pooling.pool", kernel=size, stride=1, padding=size // 2)
    y = b.apply("sub", mean, y, name="pooling.difference")
    y = drop_path(b, "pool_drop_path", scaled(config, b, "layer_scale_1", y), rate, workload)
    x = b.apply("add", *((x, y) if config.use_layer_scale else (y, x)), name="pool_residual")
    y = norm(b, "after_norm", x)
    with b.scope("output"):
        y = convolution(b, "conv1", y, times(width, config.mlp_ratio), bias=True)
        y = activated(b, ACTIVATIONS[config.hidden_act], y)
        y = drop_path(b, "drop", y, rate, workload)
        y = drop_path(b, "drop_again", convolution(b, "conv2", y, width, bias=True), rate, workload)
    y = drop_path(b, "drop_path", scaled(config, b, "layer_scale_2", y), rate, workload)
    return b.apply("add", x, y, name="residual")


def scaled(config: PoolFormerConfig, b: Builder, name: str, x: Value) -> Value:
    """Returns each channel times a parameter, where the file says so."""
    if not config.use_layer_scale:
        return x
    width = x.spec.shape[1]
    weight = b.apply("reshape", b.parameter(name, (width,)), name=f"{name}_of_channels", shape=(width, 1, 1))
    found: Value = b.apply("mul", weight, x, name=f"{name}_scaled")
    return found


ARCHITECTURE = Architecture(
    "poolformer",
    PoolFormerConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (224, 224)},
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost={"patch_size": None, "stride": None, "layer_scale_init_value": None, "image_size": None},
    model_types=("poolformer",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="PoolFormer: blocks that mix places by an average, without attention.",
)
