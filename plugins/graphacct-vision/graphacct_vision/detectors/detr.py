"""DETR: a ResNet, a transformer over its last map, and queries that each find an object.

Carion et al., 2020 (arXiv:2005.12872).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear, merge_heads, split_heads
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, attended

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    exact_div,
    fields,
    frozen,
    has_value,
)
from graphacct_vision.detectors.detr_backbone import WithBackbone, maps
from graphacct_vision.detectors.mask_head import segmented
from graphacct_vision.detectors.queries import boxes
from graphacct_vision.parts.layers import convolution

ENDS = ("Model", "ForObjectDetection", "ForSegmentation")
CLASSES = tuple(f"Detr{end}" for end in ENDS)
IMAGE = 800
"""The image's sides, which the files do not state: the preprocessor's shortest."""
BOX_LAYERS = 3


@frozen(kw_only=True)
class DetrConfig(WithBackbone):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "detr"

    architectures: str = fields.model_class(CLASSES[0], CLASSES)


@frozen
class Seen:
    """What the queries of a model look at.

    Attributes:
        maps: The backbone's maps.
        projected: The last of them with the model's channels.
        memory: The states of its places after the encoder, (batch, places, d_model).
        places: Their positions.
        queries: Zeros, (batch, queries, d_model).
        query_places: The learned positions of the queries.
    """

    maps: tuple[Value, ...]
    projected: Value
    memory: Value
    places: Value
    queries: Value
    query_places: Value


def detecting(found: Callable[..., tuple[Value, Seen]]) -> Callable[[Any, Workload, Builder], tuple[Value, ...]]:
    """Returns what builds a family's graph, of the function that finds its queries' states: from pixels to those and
    the map's, to their classes, boxes and states, or to their classes, boxes and masks."""

    def build(config: Any, workload: Workload, b: Builder) -> tuple[Value, ...]:
        assert workload.image_size is not None  # the architecture declares its default
        pixels = b.input("pixel_values", (workload.batch, config.channels, *workload.image_size))
        if config.architectures.endswith(ENDS[0]):
            x, seen = found(config, workload, b, pixels)
            return x, seen.memory
        masked = config.architectures.endswith(ENDS[2])
        with b.scope(config.SCOPE if masked else ""):
            with b.scope("model"):
                x, seen = found(config, workload, b, pixels)
            logits = linear(b, "class_labels_classifier", x, config.num_labels + 1)
            places = boxes(b, "bbox_predictor", x, config.d_model, BOX_LAYERS)
        return logits, places, segmented(config, b, x, seen) if masked else x

    return build


def found(config: WithBackbone, workload: Workload, b: Builder, pixels: Value) -> tuple[Value, Seen]:
    """Returns the states of the queries, normalized, and what they look at."""
    s = looked(config, workload, b, pixels, encoded)
    with b.scope("decoder"):
        return decoded(config, workload, b, s.queries, s.query_places, s.memory, s.places), s


def looked(
    config: WithBackbone,
    workload: Workload,
    b: Builder,
    pixels: Value,
    encode: Callable[..., Value],
    backbone: str = "backbone.model",
    around: str = "",
) -> Seen:
    """Returns what the queries of a model look at. `encode` is the family's encoder, `backbone` the backbone's scope
    and `around` that of the positions."""
    with b.scope(backbone):
        handed = maps(config, workload, b, pixels)
    batch, _, rows, columns = handed[-1].spec.shape
    with b.scope(around):
        places = positions(config, b, batch, (rows, columns))
    projected = convolution(b, "input_projection", handed[-1], config.d_model, bias=True)
    x = b.apply("reshape", projected, name="flat", shape=(batch, config.d_model, rows * columns))
    x = b.apply("transpose", x, name="tokens", dims=(1, 2))
    b.hold(places)
    with b.scope("encoder"):
        x = encode(config, workload, b, x, places)
    table = b.parameter("query_position_embeddings.weight", (config.num_queries, config.d_model))
    each = b.apply("reshape", table, name="query_row", shape=(1, config.num_queries, config.d_model))
    each = b.apply("repeat", each, name="query_positions", times=(batch, 1, 1))
    queries = b.apply("full", name="queries", shape=(batch, config.num_queries, config.d_model), dtype=b.dtype)
    return Seen(tuple(handed), projected, x, places, queries, each)


def positions(config: WithBackbone, b: Builder, batch: Dim, grid: tuple[Dim, Dim], *, centred: bool = False) -> Value:
    """Returns the position of each place of a map, (batch, rows * columns, d_model): waves along rows and columns, of
    a place's centre if `centred`; or learned rows and columns."""
    half = exact_div(config.d_model, 2, "d_model / 2")
    (rows, columns), sides = grid, []
    with b.scope("position_embedding"):
        if config.position_embedding_type == "learned":
            for name, count, shape in (("column", columns, (1, columns, half)), ("row", rows, (rows, 1, half))):
                ids = b.apply("arange", name=f"{name}s", batch=1, n=count)
                table = b.parameter(f"{name}_embeddings.weight", (50, half))
                side = b.apply("embedding", ids, table, name=f"{name}_embeddings")
                side = b.apply("reshape", side, name=f"{name}_shaped", shape=shape)
                times = (rows, 1, 1) if name == "column" else (1, columns, 1)
                sides.append(b.apply("repeat", side, name=f"{name}_repeated", times=times))
            x = b.apply("concat", *sides, name="both", dim=-1)
            x = b.apply("reshape", x, name="map", shape=(1, rows, columns, config.d_model))
            x = b.apply("repeat", x, name="of_batch", times=(batch, 1, 1, 1))
        else:
            seen = b.apply("full", name="mask", shape=(batch, rows, columns), dtype=b.dtype)
            for dim, name in enumerate(("rows", "columns"), 1):
                x = b.apply("cumsum", seen, name=name, dim=dim)
                total = b.apply("slice", x, name=f"{name}_last", dim=dim, start=grid[dim - 1] - 1, length=1)
                total = b.apply("shift", total, name=f"{name}_above_zero")
                x = b.apply("shift", x, name=f"{name}_centres") if centred else x
                x = b.apply("scale", b.apply("div", x, total, name=f"{name}_relative"), name=f"{name}_angle")
                x = b.apply("reshape", x, name=f"{name}_column", shape=(batch, rows, columns, 1))
                rates = b.apply("full", name=f"{name}_rates", shape=(half,), dtype=b.dtype)
                x = b.apply("div", x, rates, name=f"{name}_angles")
                sine, cosine = b.apply("split", x, name=f"{name}_halves", parts=2, dim=-1)
                sine, cosine = b.apply("sin", sine, name=f"{name}_sin"), b.apply("cos", cosine, name=f"{name}_cos")
                sides.append(b.apply("concat", sine, cosine, name=f"{name}_waves", dim=-1))
            x = b.apply("concat", *sides, name="both", dim=-1)
        return b.apply("reshape", x, name="tokens", shape=(batch, rows * columns, config.d_model))


def encoded(config: WithBackbone, workload: Workload, b: Builder, x: Value, places: Value) -> Value:
    """Returns the map's places after the encoder."""
    x = dropped(b, "dropout", x, config.dropout, workload)
    kind = kind_of(config, config.encoder_attention_heads, config.encoder_ffn_dim)

    def body(b: Builder, x: Value, places: Value) -> Value:
        y = attention(kind, workload, b, "self_attn", x, x, places, places)
        x = normed(config, workload, b, "self_attn", y, x)
        return network(kind, config, workload, b, x)

    first = x.spec.strides is not None
    if first:
        with b.scope("layers.0"):
            x = body(b, x, places)
    rest = config.encoder_layers - first
    if has_value(rest) and rest == 0:
        return x
    return b.repeat("layers", rest, body, x, constants=(places,), start=int(first))


def decoded(
    config: WithBackbone, workload: Workload, b: Builder, x: Value, queries: Value, memory: Value, places: Value
) -> Value:
    """Returns the queries' states after the decoder, normalized."""
    kind = kind_of(config, config.decoder_attention_heads, config.decoder_ffn_dim)

    def body(b: Builder, x: Value, queries: Value, memory: Value, places: Value) -> Value:
        y = attention(kind, workload, b, "self_attn", x, x, queries, queries)
        x = normed(config, workload, b, "self_attn", y, x)
        y = attention(kind, workload, b, "encoder_attn", x, memory, queries, places)
        x = normed(config, workload, b, "encoder_attn", y, x)
        return network(kind, config, workload, b, x)

    constants = (queries, memory, places)
    if not config.auxiliary_loss:
        return layer_norm(b, "layernorm", b.repeat("layers", config.decoder_layers, body, x, constants=constants))
    return normed_often(config, body, b, x, constants)


def normed_often(
    config: WithBackbone, body: Callable[..., Value], b: Builder, x: Value, constants: tuple[Value, ...]
) -> Value:
    """Returns x after a decoder whose one norm runs after every layer and once more at the end."""
    width = x.spec.shape[-1:]
    weights = [b.parameter(f"layernorm.{part}", width) for part in ("weight", "bias")]
    if type(config.decoder_layers) is not int:
        raise ConfigError("auxiliary_loss normalizes after each layer: decoder_layers is an integer")
    for index in range(config.decoder_layers):
        with b.scope(f"layers.{index}"):
            x = body(b, x, *constants)
        x = b.apply("layer_norm", x, *weights, name=f"layernorm_{index}")
    return b.apply("layer_norm", x, *weights, name="layernorm")


def kind_of(config: WithBackbone, heads: Dim, hidden: Dim) -> Tower:
    """Returns what a stack's attention and network are."""
    act = ACTIVATIONS[config.activation_function]
    network = Mlp(hidden, act, gated=False, up="fc1", down="fc2", bias=True, dropout=config.activation_dropout)
    return Tower(
        1,
        heads,
        network,
        stack="layers",
        attention="self_attn",
        out="o_proj",
        norms=("self_attn_layer_norm", "final_layer_norm"),
        attention_dropout=config.attention_dropout,
        softmax_upcast=False,
    )


def attention(
    kind: Tower, workload: Workload, b: Builder, name: str, x: Value, memory: Value, at: Value, of: Value
) -> Value:
    """Returns attention of x to memory: their positions are added to queries and keys, not to values. Of whole images
    no place is hidden, and the library adds no mask."""
    width = x.spec.shape[-1]
    d_head = exact_div(width, kind.heads, "d_model / attention heads")
    with b.scope(name):
        query = b.apply("add", x, at, name="q_placed")
        key = query if memory is x else b.apply("add", memory, of, name="k_placed")
        given = {"q": query, "k": key, "v": memory}
        q, k, v = (
            split_heads(b, linear(b, f"{label}_proj", part, width), kind.heads, d_head, label)
            for label, part in given.items()
        )
        b.hold(q, k, v)
        y, _ = attended(kind, workload, b, q, k, v, None)
        return linear(b, kind.out, merge_heads(b, y), width)


def normed(config: WithBackbone, workload: Workload, b: Builder, name: str, y: Value, x: Value) -> Value:
    """Returns the stream and attention's output, dropped, added up and normalized."""
    y = dropped(b, f"{name}_dropout", y, config.dropout, workload)
    return layer_norm(b, f"{name}_layer_norm", b.apply("add", x, y, name=f"{name}_residual"))


def network(kind: Tower, config: WithBackbone, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x after a network of one hidden layer, added and normalized."""
    m = kind.mlp
    with b.scope("mlp"):
        y = activated(b, m.activation, linear(b, "fc1", x, m.width), "activation")
        y = dropped(b, "activation_dropout", y, m.dropout, workload)
        y = dropped(b, "dropout", linear(b, "fc2", y, x.spec.shape[-1]), config.dropout, workload)
    return layer_norm(b, "final_layer_norm", b.apply("add", x, y, name="mlp_residual"))


ALIASES = {
    "torch_dtype": "dtype",
    "hidden_size": "d_model",
    "num_attention_heads": "encoder_attention_heads",
    "num_hidden_layers": "encoder_layers",
    **fields.LABELS,
}
NO_COST = (
    *("class_cost", "bbox_cost", "giou_cost", "mask_loss_coefficient", "dice_loss_coefficient", "init_std"),
    *("bbox_loss_coefficient", "giou_loss_coefficient", "eos_coefficient", "init_xavier_std", "cls_loss_coefficient"),
    *("use_pretrained_backbone", "encoder_layerdrop", "decoder_layerdrop", "focal_alpha"),
    *("is_encoder_decoder", "max_position_embeddings", "scale_embedding", "classifier_dropout"),
)

build = detecting(found)
ARCHITECTURE = Architecture(
    "detr",
    DetrConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (IMAGE, IMAGE)},
    attention=("fused", "eager"),
    dtype="float32",
    aliases=ALIASES,
    no_cost=dict.fromkeys(NO_COST),
    model_types=("detr",),
    losses=SUM_ALONE,
    doc="DETR: a ResNet whose parameters are not trained, a transformer over its last map, queries for objects.",
)
