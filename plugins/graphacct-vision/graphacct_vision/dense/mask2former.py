"""Mask2Former: queries that look only where their masks are (Cheng et al., 2021, arXiv:2112.01527)."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear, merge_heads, split_heads
from graphacct_architectures.losses import SUM_ALONE

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    DeclinedError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    equal,
    exact_div,
    fields,
    frozen,
)
from graphacct_vision.dense.masks import blocks, masks, multihead, normed_convolution
from graphacct_vision.detectors import deformable
from graphacct_vision.parts.inner_backbone import backbone, maps
from graphacct_vision.parts.layers import convolution, resized

CLASSES = ("Mask2FormerModel", "Mask2FormerForUniversalSegmentation")
DEFAULT: dict[str, Any] = {
    "depths": [2, 2, 18, 2],
    "drop_path_rate": 0.3,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}
IMAGE = 384
"""The image's sides, which the files do not state: the preprocessor's."""
LEVELS, POINTS = 3, 4


@frozen(kw_only=True)
class Mask2FormerConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone_config: SubModel = backbone("swin", DEFAULT)
    feature_size: Dim = fields.size(256)
    mask_feature_size: Dim = fields.size(256)
    hidden_dim: Dim = fields.size(256)
    encoder_feedforward_dim: Dim = fields.size(1024)
    activation_function: str = activation("relu")
    encoder_layers: int = fields.size(6)
    decoder_layers: int = fields.size(10)
    num_attention_heads: Dim = fields.size(8)
    dropout: float = fields.probability(0.0)
    dim_feedforward: Dim = fields.size(2048)
    pre_norm: bool = fields.flag(False)
    enforce_input_projection: bool = fields.flag(False)
    common_stride: int = fields.size(4)
    feature_strides: tuple[int, ...] = fields.counts((4, 8, 16, 32))
    num_queries: Dim = fields.size(100)
    use_auxiliary_loss: bool = fields.flag(True)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if type(self.decoder_layers) is not int:
            raise ConfigError("decoder_layers must be a number: layers take turns at the maps")
        if self.architectures == CLASSES[1] and not self.use_auxiliary_loss:
            raise ConfigError("use_auxiliary_loss is false: the library's class reads what it then does not hand on")

    @property
    def finer(self) -> int:
        """How many maps are made from the backbone's larger ones."""
        return int(log2(min(self.feature_strides[-LEVELS:])) - log2(self.common_stride))


def build(config: Mask2FormerConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to a mask of each query, of the first and after each layer; or to the classes and
    masks of the queries."""
    check_dropout(config.dropout, workload)
    assert workload.image_size is not None  # the architecture declares its default
    inner = config.backbone_config.config
    pixels = b.input("pixel_values", (workload.batch, inner.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return tuple(found(config, workload, b, pixels)[1])
    with b.scope("model"):
        states, every = found(config, workload, b, pixels)
    logits = []
    for index, state in enumerate(states):
        with b.turn(index):
            logits.append(linear(b, "class_predictor", state, config.num_labels + 1))
    return logits[-1], every[-1]


def check_dropout(dropout: float, workload: Workload) -> None:
    """Raises DeclinedError for a training step in which the library's class leaves layers out by chance."""
    if dropout and workload.phase == "train":
        raise DeclinedError(
            f"dropout is {dropout}: in training the class leaves layers out by chance, which is not modelled"
        )


def found(config: Mask2FormerConfig, workload: Workload, b: Builder, pixels: Value) -> tuple[list[Value], list[Value]]:
    """Returns the states of the queries, normalized, and their masks: the first ones, and after each layer."""
    with b.scope("pixel_level_module"):
        with b.scope("encoder"):
            handed = maps(config.backbone_config, workload, b, pixels)
        with b.scope("decoder"):
            levels, fine = decoded(config, workload, b, handed)
    with b.scope("transformer_module"):
        return queried(config, workload, b, levels, fine)


def decoded(config: Any, workload: Workload, b: Builder, handed: Sequence[Value]) -> tuple[list[Value], Value]:
    """Returns three maps from small to large whose places have seen each other, and a map for masks."""
    width, finer = config.feature_size, config.finer
    if len(handed) < max(LEVELS, finer):
        raise ConfigError(f"the backbone hands on {len(handed)} maps: {max(LEVELS, finer)} are read")
    levels = [
        normed_convolution(b, f"input_projections.{level}", x, width, bias=True)
        for level, x in enumerate(list(reversed(handed))[:LEVELS])
    ]
    sizes = [(x.spec.shape[2], x.spec.shape[3]) for x in levels]
    table = b.parameter("level_embed", (LEVELS, width))
    flat, where = [], []
    for level, (x, (rows, columns)) in enumerate(zip(levels, sizes, strict=True)):
        x = b.apply("reshape", x, name=f"flat_{level}", shape=(workload.batch, width, rows * columns))
        flat.append(b.apply("transpose", x, name=f"tokens_{level}", dims=(1, 2)))
        place = b.apply("constant", name=f"positions_{level}", shape=(1, rows * columns, width), dtype=b.dtype)
        own = b.apply("select", table, name=f"level_{level}", dim=0, index=level)
        own = b.apply("reshape", own, name=f"level_row_{level}", shape=(1, 1, width))
        where.append(b.apply("add", place, own, name=f"places_{level}"))
    x, places = (b.apply("concat", *parts, name=name, dim=1) for parts, name in ((flat, "tokens"), (where, "places")))
    count = x.spec.shape[1]
    near = b.apply("constant", name="reference_places", shape=(workload.batch, count, LEVELS, 2), dtype=b.dtype)
    hidden = b.apply("full", name="hidden", shape=(workload.batch, count, 1), dtype="bool")

    def body(b: Builder, x: Value, places: Value, near: Value, hidden: Value) -> Value:
        with b.scope("self_attn"):
            placed = b.apply("add", x, places, name="placed")
            y = deformable.attention(b, placed, x, near, sizes, config.num_attention_heads, POINTS, hidden)
        y = dropped(b, "dropout", y, config.dropout, workload)
        x = layer_norm(b, "self_attn_layer_norm", b.apply("add", x, y, name="attn_residual"))
        y = b.apply("relu", linear(b, "fc1", x, config.encoder_feedforward_dim), name="activation")
        y = dropped(b, "activation_dropout", y, config.dropout, workload)
        y = dropped(b, "mlp_dropout", linear(b, "fc2", y, width), config.dropout, workload)
        return layer_norm(b, "final_layer_norm", b.apply("add", x, y, name="mlp_residual"))

    with b.scope("encoder"):
        x = b.repeat("layers", config.encoder_layers, body, x, constants=(places, near, hidden))
    lengths = tuple(rows * columns for rows, columns in sizes)
    result = []
    for level, part in enumerate(b.apply("split", x, name="levels", sizes=lengths, dim=1)):
        part = b.apply("transpose", part, name=f"level_{level}_channels", dims=(1, 2))
        result.append(b.apply("reshape", part, name=f"level_{level}_map", shape=(workload.batch, width, *sizes[level])))
    fine = result[-1]
    for place in reversed(range(finer)):
        side = normed_convolution(b, f"adapter_{place + 1}", handed[place], width)
        fine = b.apply(
            "add", side, resized(b, f"resized_{place + 1}", fine, side.spec.shape[2:]), name=f"fused_{place}"
        )
        fine = normed_convolution(b, f"layer_{place + 1}", fine, width, 3)
        fine = b.apply("relu", fine, name=f"layer_{place + 1}.2")
    result = [*result, fine][:LEVELS] if finer else result
    return result, convolution(b, "mask_projection", fine, config.mask_feature_size, bias=True)


def queried(
    config: Mask2FormerConfig, workload: Workload, b: Builder, levels: Sequence[Value], fine: Value
) -> tuple[list[Value], list[Value]]:
    """Returns the states of the queries, normalized, and their masks: the first ones, and after each layer."""
    width, batch, count = config.hidden_dim, workload.batch, config.num_queries
    places = b.parameter("queries_embedder.weight", (count, width))
    features = b.parameter("queries_features.weight", (count, width))
    table = b.parameter("level_embed.weight", (LEVELS, width))
    memories, wheres, sizes = [], [], []
    for level, x in enumerate(levels):
        rows, columns = x.spec.shape[2:]
        sizes.append((rows, columns))
        if config.enforce_input_projection or not equal(config.feature_size, width):
            x = convolution(b, f"input_projections.{level}", x, width, bias=True)
        x = b.apply("reshape", x, name=f"flat_{level}", shape=(batch, width, rows * columns))
        own = b.apply("select", table, name=f"level_{level}", dim=0, index=level)
        own = b.apply("reshape", own, name=f"level_column_{level}", shape=(1, width, 1))
        x = b.apply("add", x, own, name=f"of_level_{level}")
        memories.append(b.apply("transpose", x, name=f"memory_{level}", dims=(1, 2)))
        wheres.append(b.apply("constant", name=f"positions_{level}", shape=(1, rows * columns, width), dtype=b.dtype))
    x, where = (
        b.apply(
            "repeat",
            b.apply("reshape", part, name=f"{word}_row", shape=(1, count, width)),
            name=word,
            times=(batch, 1, 1),
        )
        for part, word in ((features, "queries"), (places, "query_positions"))
    )
    layers = config.decoder_layers - 1
    states, found = [], []
    hidden: Value | None = None
    with b.scope("decoder"):
        for index in range(layers + 1):
            if hidden is not None:
                with b.scope(f"layers.{index - 1}"):
                    level = (index - 1) % LEVELS
                    x = layer(config, workload, b, x, where, memories[level], wheres[level], hidden)
            with b.turn(index):
                states.append(layer_norm(b, "layernorm", x))
            with b.scope("mask_predictor"), b.turn(index):
                weights = blocks(b, "mask_embedder", states[-1], width, config.mask_feature_size)
                found.append(masks(b, "mask", weights, fine))
                hidden = unlooked(b, found[-1], sizes[index % LEVELS])
    return states, found


def unlooked(b: Builder, mask: Value, size: tuple[Dim, Dim]) -> Value:
    """Returns what hides the places of a map where a query's mask is not: (batch, 1, queries, places), without
    gradients. A query that would see nothing sees all."""
    batch, count = mask.spec.shape[:2]
    x = b.apply("sigmoid", resized(b, "mask_resized", mask, size), name="mask_sigmoid")
    x = b.apply("reshape", x, name="mask_places", shape=(batch, 1, count, size[0] * size[1]))
    half = b.apply("full", name="half", shape=(), dtype=x.spec.dtype)
    x = b.apply("detach", b.apply("lt", x, half, name="outside"), name="outside_alone")
    some = b.apply("all", x, name="nothing_seen", dim=-1, keepdim=True)
    x = b.apply("logical_and", x, b.apply("logical_not", some, name="something_seen"), name="hidden")
    zeros = b.apply("full", name="mask_zeros", shape=x.spec.shape, dtype=b.dtype)
    return b.apply("masked_fill", zeros, x, name="attention_mask")


def layer(
    config: Mask2FormerConfig,
    workload: Workload,
    b: Builder,
    x: Value,
    where: Value,
    memory: Value,
    places: Value,
    hidden: Value,
) -> Value:
    """Returns the queries' states after a layer: attention to a map, among themselves, and a network."""
    heads, width = config.num_attention_heads, config.hidden_dim

    def crossed(x: Value) -> Value:
        query = b.apply("add", x, where, name="cross_attn_query")
        key = b.apply("add", memory, places, name="cross_attn_key")
        return multihead(b, "cross_attn", query, key, memory, heads, workload, hidden, config.dropout)

    def own(x: Value) -> Value:
        with b.scope("self_attn"):
            return attention(b, x, where, heads, workload, config.dropout)

    def network(x: Value) -> Value:
        y = linear(b, "fc1", x, config.dim_feedforward)
        y = activated(b, ACTIVATIONS[config.activation_function], y, "activation")
        y = dropped(b, "activation_dropout", y, config.dropout, workload)
        return linear(b, "fc2", y, width)

    for name, part in (
        ("cross_attn_layer_norm", crossed),
        ("self_attn_layer_norm", own),
        ("final_layer_norm", network),
    ):
        y = part(layer_norm(b, name, x) if config.pre_norm else x)
        y = dropped(b, f"{name}_dropout", y, config.dropout, workload)
        x = b.apply("add", x, y, name=f"{name}_residual")
        x = x if config.pre_norm else layer_norm(b, name, x)
    return x


def attention(b: Builder, x: Value, where: Value, heads: Dim, workload: Workload, dropout: float) -> Value:
    """Returns attention of the queries among themselves; their positions are added to queries and keys."""
    width = x.spec.shape[-1]
    d_head = exact_div(width, heads, "hidden_dim / num_attention_heads")
    placed = b.apply("add", x, where, name="placed")
    q = b.apply("scale", linear(b, "q_proj", placed, width), name="q_scaled")
    k, v = linear(b, "k_proj", placed, width), linear(b, "v_proj", x, width)
    q, k, v = (
        b.apply("contiguous", split_heads(b, part, heads, d_head, label), name=label)
        for part, label in ((q, "q"), (k, "k"), (v, "v"))
    )
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
    weights = dropped(b, "dropout", b.apply("softmax", scores, name="softmax"), dropout, workload)
    return linear(b, "out_proj", merge_heads(b, b.apply("matmul", weights, v, name="values")), width)


ARCHITECTURE = Architecture(
    "mask2former",
    Mask2FormerConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (IMAGE, IMAGE)},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={
        "torch_dtype": "dtype",
        "hidden_size": "hidden_dim",
        "num_hidden_layers": "decoder_layers",
        **fields.LABELS,
    },
    no_cost=dict.fromkeys(
        (
            *("ignore_value", "no_object_weight", "class_weight", "mask_weight", "dice_weight", "train_num_points"),
            *("oversample_ratio", "importance_sample_ratio", "init_std", "init_xavier_std", "output_auxiliary_logits"),
            *("backbone", "use_timm_backbone", "use_pretrained_backbone", "backbone_kwargs", "num_workers"),
        )
    ),
    model_types=("mask2former",),
    losses=SUM_ALONE,
    doc="Mask2Former: queries that look only where their masks are, at three maps in turn.",
)
