"""SegFormer: overlapping patches, attention over reduced keys and values, and a head of semantic segmentation.

Xie et al., 2021 (arXiv:2105.15203).
"""

from __future__ import annotations

from functools import partial
from math import isqrt

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import drop_path, dropped, layer_norm, linear, merge_heads, split_heads
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if
from graphacct_architectures.tower import Tower, attended

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
    frozen,
    has_value,
    prod,
)
from graphacct_vision.parts.grids import as_map, as_tokens, by_place, overlapping
from graphacct_vision.parts.layers import batch_norm, convolution, resized
from graphacct_vision.parts.stages import repeated
from graphacct_vision.vits.reduced import IMAGE, ReducedKeys

CLASSES = ("SegformerModel", "SegformerForImageClassification", "SegformerForSemanticSegmentation")


@frozen(kw_only=True)
class SegformerConfig(ReducedKeys):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    classifier_dropout_prob: float = fields.probability(0.1)
    decoder_hidden_size: Dim = fields.size(256)
    reshape_last_stage: bool = fields.flag(True)
    num_labels: Dim = fields.label_count()

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes for an image."""
        return self.architectures.endswith("ForImageClassification") and classes(self.num_labels)


def build(config: SegformerConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to the last stage, to logits, or to logits of each place."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return stages(config, workload, b, pixels)[-1]
    with b.scope("segformer"):
        found = stages(config, workload, b, pixels)
    if config.architectures.endswith("ForSemanticSegmentation"):
        with b.scope("decode_head"):
            return decoded(config, workload, b, found)
    x = found[-1]
    width = config.hidden_sizes[-1]
    if config.reshape_last_stage:
        x = b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1))
        x = b.apply("reshape", x, name="places", shape=(workload.batch, prod(x.spec.shape[1:3]), width))
    return linear(b, "classifier", b.apply("mean", x, name="mean", dim=1), config.num_labels)


def decoded(config: SegformerConfig, workload: Workload, b: Builder, maps: list[Value]) -> Value:
    """Returns the logits of each place of the first map, from all maps at its size."""
    size = maps[0].spec.shape[2:]
    parts = []
    for index, x in enumerate(maps):
        if len(x.spec.shape) == 3:
            x = squared(b, x)
        batch, channels, rows, columns = x.spec.shape
        with b.scope(f"linear_projections.{index}"):
            x = b.apply("reshape", x, name="flat", shape=(batch, channels, rows * columns))
            x = linear(b, "proj", b.apply("transpose", x, name="tokens", dims=(1, 2)), config.decoder_hidden_size)
            x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
            x = b.apply("reshape", x, name="map", shape=(batch, config.decoder_hidden_size, rows, columns))
            parts.append(resized(b, "resized", x, size))
    x = b.apply("concat", *reversed(parts), name="together", dim=1)
    x = convolution(b, "linear_fuse", x, config.decoder_hidden_size)
    x = batch_norm(b, "batch_norm", x, training=workload.phase == "train")
    x = b.apply("relu", x, name="activation")
    x = dropped(b, "dropout", x, config.classifier_dropout_prob, workload)
    return convolution(b, "classifier", x, config.num_labels, bias=True)


def squared(b: Builder, x: Value) -> Value:
    """Returns tokens as a map whose side the library takes from the channels: their root."""
    batch, tokens, channels = x.spec.shape
    side = isqrt(channels) if has_value(channels) else 0
    if tokens != side**2:
        raise ConfigError(
            f"reshape_last_stage is false: the head takes the last stage for a map of {side}x{side}, the root of its "
            f"{channels} channels, but it has {tokens} places"
        )
    x = b.apply("reshape", x, name="last_places", shape=(batch, side, side, channels))
    return b.apply("contiguous", b.apply("permute", x, name="last_turned", dims=(0, 3, 1, 2)), name="last_map")


def stages(config: SegformerConfig, workload: Workload, b: Builder, x: Value) -> list[Value]:
    """Returns each stage's output: a map, and the last as tokens where the file says so."""
    found = []
    for index, (depth, width) in enumerate(zip(config.depths, config.hidden_sizes, strict=True)):
        last = index + 1 == len(config.depths)
        with b.scope(f"stages.{index}"):
            with b.scope("patch_embeddings"):
                x, grid = overlapping(b, x, width, config.patch_sizes[index], config.strides[index])
            body, first = (
                partial(block, config, workload, index, grid, rate)
                for rate in (config.drop_path_rate, config.drop_path_rate if index else 0.0)  # the rate grows from 0
            )
            x = layer_norm(b, "layer_norm", repeated("blocks", depth, first, body, b, x))
            if not last or config.reshape_last_stage:
                x = by_place(b, x, grid)
        found.append(x)
    return found


def block(
    config: SegformerConfig, workload: Workload, index: int, grid: tuple[Dim, Dim], rate: float, b: Builder, x: Value
) -> Value:
    """Returns x (batch, rows * columns, channels) after a layer."""
    width = config.hidden_sizes[index]
    b.hold(x)
    y = layer_norm(b, "layernorm_before", x)
    with b.scope("attention"):
        y = attention(config, workload, index, grid, b, y)
    y = dropped(b, "attn_dropout", y, config.hidden_dropout_prob, workload)
    x = b.apply("add", drop_path(b, "attn_drop_path", y, rate, workload), x, name="attn_residual")
    y = layer_norm(b, "layernorm_after", x)
    with b.scope("mlp"):
        y = linear(b, "fc1", y, width * config.mlp_ratios[index])
        with b.scope("dwconv"):
            channels = y.spec.shape[-1]
            y = convolution(b, "dwconv", as_map(b, y, grid), channels, 3, padding=1, groups=channels, bias=True)
            y = as_tokens(b, y)
        y = activated(b, ACTIVATIONS[config.hidden_act], y, "activation")
        y = dropped(b, "hidden_dropout", y, config.hidden_dropout_prob, workload)
        y = linear(b, "fc2", y, width)
        y = dropped(b, "dropout", y, config.hidden_dropout_prob, workload)
    return b.apply("add", drop_path(b, "mlp_drop_path", y, rate, workload), x, name="mlp_residual")


def attention(
    config: SegformerConfig, workload: Workload, index: int, grid: tuple[Dim, Dim], b: Builder, x: Value
) -> Value:
    """Returns attention of each place to a map that is `sr_ratios` smaller along each side."""
    width, heads, reduction = (
        getattr(config, key)[index] for key in ("hidden_sizes", "num_attention_heads", "sr_ratios")
    )
    d_head = exact_div(width, heads, "hidden_sizes / num_attention_heads")
    b.hold(x)
    q = split_heads(b, linear(b, "q_proj", x, width), heads, d_head, "q")
    y = x
    if not equal(reduction, 1):
        with b.scope("sequence_reduction"):
            y = convolution(b, "sequence_reduction", as_map(b, y, grid), width, reduction, stride=reduction, bias=True)
            y = layer_norm(b, "layer_norm", as_tokens(b, y))
    k, v = (split_heads(b, linear(b, f"{label}_proj", y, width), heads, d_head, label) for label in "kv")
    b.hold(q, k, v)
    y, _ = attended(kind_of(config, index), workload, b, q, k, v, None)
    return linear(b, "o_proj", merge_heads(b, y), width)


def kind_of(config: SegformerConfig, index: int) -> Tower:
    """Returns what a stage's attention is."""
    return Tower(
        config.depths[index],
        config.num_attention_heads[index],
        Mlp(config.hidden_sizes[index], ACTIVATIONS[config.hidden_act]),
        stack="blocks",
        attention="attention",
        out="o_proj",
        norms=("layernorm_before", "layernorm_after"),
        attention_dropout=config.attention_probs_dropout_prob,
    )


ARCHITECTURE = Architecture(
    "segformer",
    SegformerConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (IMAGE, IMAGE)},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", "num_hidden_layers": "num_encoder_blocks", **fields.LABELS},
    no_cost=dict.fromkeys(("image_size", "downsampling_rates", "semantic_loss_ignore_index")),
    model_types=("segformer",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="SegFormer: overlapping patches, attention over reduced keys and values; semantic segmentation.",
)
