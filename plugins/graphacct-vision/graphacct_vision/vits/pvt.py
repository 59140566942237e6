"""PVT: a pyramid of maps, and attention over keys and values of a smaller map (Wang et al., 2021, arXiv:2102.12122)."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import dropped, layer_norm, linear
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
    exact_div,
    fields,
    floor_div,
    frozen,
    has_value,
)
from graphacct_vision.parts.grids import by_place
from graphacct_vision.parts.layers import convolution, resized
from graphacct_vision.parts.lists import check_blocks
from graphacct_vision.parts.stages import repeated
from graphacct_vision.vits.reduced import Reduced, layer

CLASSES = ("PvtModel", "PvtForImageClassification")
LISTS = ("depths", "sequence_reduction_ratios", "hidden_sizes", "patch_sizes", "strides", "num_attention_heads")


@frozen(kw_only=True)
class PvtConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    image_size: Dim = fields.size(224)
    num_channels: Dim = fields.size(3)
    num_encoder_blocks: Dim = fields.size(4)
    depths: tuple[Dim, ...] = fields.counts((2, 2, 2, 2))
    sequence_reduction_ratios: tuple[Dim, ...] = fields.counts((8, 4, 2, 1))
    hidden_sizes: tuple[Dim, ...] = fields.counts((64, 128, 320, 512))
    patch_sizes: tuple[Dim, ...] = fields.counts((4, 2, 2, 2))
    strides: tuple[Dim, ...] = fields.counts((4, 2, 2, 2))
    num_attention_heads: tuple[Dim, ...] = fields.counts((1, 2, 5, 8))
    mlp_ratios: tuple[Dim, ...] = fields.counts((8, 8, 4, 4))
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    drop_path_rate: float = fields.probability(0.0)
    qkv_bias: bool = fields.flag(True)
    num_labels: Dim = fields.size(1000, minimum=0)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        check_blocks(self, (*LISTS, "mlp_ratios"))

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes."""
        return self.architectures.endswith("ForImageClassification") and classes(self.num_labels)


def build(config: PvtConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to the last stage's tokens, or to logits."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return encoded(config, workload, b, pixels)
    with b.scope("pvt"):
        x = encoded(config, workload, b, pixels)
    x = b.apply("select", x, name="first", dim=1)
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def encoded(config: PvtConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the last stage's tokens, normalized."""
    last = len(config.depths) - 1
    with b.scope("encoder"):
        for index, depth in enumerate(config.depths):
            with b.scope(f"patch_embeddings.{index}"):
                x, grid = embedded(config, workload, index, b, x)
            body, first = (
                partial(layer, kind_of(config, index), workload, grid, rate)
                for rate in (config.drop_path_rate, config.drop_path_rate if index else 0.0)  # the rate grows from 0
            )
            x = repeated(f"block.{index}", depth, first, body, b, x)
            if index != last:
                with b.scope(f"map_{index}"):
                    x = by_place(b, x, grid)
        return layer_norm(b, "layer_norm", x)


def embedded(config: PvtConfig, workload: Workload, index: int, b: Builder, x: Value) -> tuple[Value, tuple[Dim, Dim]]:
    """Returns a map's patches as tokens with their positions, behind a class token in the last stage, and their grid.

    The convolution's kernel is the file's stride and its stride the file's patch, as in the library's class.
    """
    width, step = config.hidden_sizes[index], config.patch_sizes[index]
    image = config.image_size if index == 0 else floor_div(config.image_size, 2 ** (index + 1))
    learned = floor_div(image, step) ** 2
    x = convolution(b, "projection", x, width, config.strides[index], stride=step, bias=True)
    batch, _, rows, columns = x.spec.shape
    if has_value(rows) and has_value(columns) and has_value(learned) and rows * columns != learned:
        raise ConfigError(
            f"stage {index + 1} has {rows}x{columns} patches, but image_size {config.image_size} means {learned} "
            f"learned positions: give --image-size {config.image_size}"
        )
    x = b.apply("reshape", x, name="flat", shape=(batch, width, rows * columns))
    x = layer_norm(b, "layer_norm", b.apply("transpose", x, name="tokens", dims=(1, 2)))
    last = index + 1 == len(config.depths)
    table = b.parameter("position_embeddings", (1, learned + last, width))
    own: Any = table
    if last:
        own = b.apply("slice", table, name="positions_of_patches", dim=1, start=1, length=learned)
    if not equal(rows * columns, config.image_size**2):  # resized to the size that it has
        own = b.apply("reshape", own, name="positions_by_place", shape=(1, rows, columns, width))
        own = b.apply("permute", own, name="positions_channels_first", dims=(0, 3, 1, 2))
        own = resized(b, "positions_resized", own, (rows, columns))
        own = b.apply("reshape", own, name="positions_flat", shape=(1, width, rows * columns))
        own = b.apply("permute", own, name="positions_channels_last", dims=(0, 2, 1))
    if last:
        token = b.parameter("cls_token", (1, 1, width))
        x = b.apply("concat", b.apply("expand", token, name="cls", shape=(batch, 1, width)), x, name="with_cls", dim=1)
        first = b.apply("slice", table, name="position_of_cls", dim=1, start=0, length=1)
        own = b.apply("concat", first, own, name="positions", dim=1)
    x = b.apply("add", x, own, name="with_positions")
    return dropped(b, "dropout", x, config.hidden_dropout_prob, workload), (rows, columns)


def kind_of(config: PvtConfig, index: int) -> Reduced:
    """Returns what a stage's layers are."""
    exact_div(config.hidden_sizes[index], config.num_attention_heads[index], "hidden_sizes / num_attention_heads")
    ratio = config.sequence_reduction_ratios[index]
    if index + 1 == len(config.depths) and not equal(ratio, 1):
        raise ConfigError(
            f"sequence_reduction_ratios ends with {ratio}: the last stage's class token is in no map, so it is 1"
        )
    return Reduced(
        heads=config.num_attention_heads[index],
        ratio=ratio,
        hidden=config.hidden_sizes[index] * config.mlp_ratios[index],
        act=ACTIVATIONS[config.hidden_act],
        reduction="sequence_reduction",
        inner="self",
        bias=config.qkv_bias,
        convolved=False,
        attention_dropout=config.attention_probs_dropout_prob,
        dropout=config.hidden_dropout_prob,
    )


ARCHITECTURE = Architecture(
    "pvt",
    PvtConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (config.image_size, config.image_size)},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={"id2label": None},  # the library's class has 1000 labels where num_labels says nothing
    model_types=("pvt",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="PVT: a pyramid of maps, attention over keys and values of a smaller map.",
)
