"""Table Transformer: DETR that normalizes before each part (Smock et al., 2021, arXiv:2110.00061)."""

from __future__ import annotations

import attrs
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields
from graphacct_vision.detr import ALIASES, BOX_LAYERS, IMAGE, NO_COST, attention, kind_of, positions
from graphacct_vision.detr_backbone import WithBackbone, maps
from graphacct_vision.layers import convolution
from graphacct_vision.queries import boxes

CLASSES = ("TableTransformerModel", "TableTransformerForObjectDetection")


@attrs.frozen(kw_only=True)
class TableTransformerConfig(WithBackbone):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)


def build(config: TableTransformerConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to the queries' states and the map's, or to their classes, boxes and states."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return found(config, workload, b, pixels)
    with b.scope("model"):
        x, _ = found(config, workload, b, pixels)
    logits = linear(b, "class_labels_classifier", x, config.num_labels + 1)
    return logits, boxes(b, "bbox_predictor", x, config.d_model, BOX_LAYERS), x


def found(config: TableTransformerConfig, workload: Workload, b: Builder, pixels: Value) -> tuple[Value, Value]:
    """Returns the states of the queries, normalized, and of the places of the map."""
    with b.scope("backbone"):
        with b.scope("conv_encoder.model"):
            x = maps(config, workload, b, pixels)[-1]
        batch, _, rows, columns = x.spec.shape
        places = positions(config, b, batch, (rows, columns))
    x = convolution(b, "input_projection", x, config.d_model, bias=True)
    x = b.apply("reshape", x, name="flat", shape=(batch, config.d_model, rows * columns))
    x = b.apply("transpose", x, name="tokens", dims=(1, 2))
    b.hold(places)
    with b.scope("encoder"):
        x = encoded(config, workload, b, x, places)
    table = b.parameter("query_position_embeddings.weight", (config.num_queries, config.d_model))
    each = b.apply("reshape", table, name="query_row", shape=(1, config.num_queries, config.d_model))
    each = b.apply("repeat", each, name="query_positions", times=(batch, 1, 1))
    queries = b.apply("full", name="queries", shape=(batch, config.num_queries, config.d_model), dtype=b.dtype)
    with b.scope("decoder"):
        return decoded(config, workload, b, queries, each, x, places), x


def encoded(config: TableTransformerConfig, workload: Workload, b: Builder, x: Value, places: Value) -> Value:
    """Returns the map's places after the encoder, normalized."""
    x = dropped(b, "dropout", x, config.dropout, workload)

    def body(b: Builder, x: Value, places: Value) -> Value:
        x = seen(config, workload, b, "self_attn", config.encoder_attention_heads, x, None, places, places)
        return network(config, workload, config.encoder_ffn_dim, b, x)

    start = int(x.spec.strides is not None)
    if start:
        with b.scope("layers.0"):
            x = body(b, x, places)
    rest = config.encoder_layers - start
    if type(rest) is not int or rest:
        x = b.repeat("layers", rest, body, x, constants=(places,), start=start)
    return layer_norm(b, "layernorm", x)


def decoded(
    config: TableTransformerConfig,
    workload: Workload,
    b: Builder,
    x: Value,
    queries: Value,
    memory: Value,
    places: Value,
) -> Value:
    """Returns the queries' states after the decoder, normalized."""
    heads, constants = config.decoder_attention_heads, (queries, memory, places)

    def body(b: Builder, x: Value, queries: Value, memory: Value, places: Value) -> Value:
        x = seen(config, workload, b, "self_attn", heads, x, None, queries, queries)
        x = seen(config, workload, b, "encoder_attn", heads, x, memory, queries, places)
        return network(config, workload, config.decoder_ffn_dim, b, x)

    if not config.auxiliary_loss:
        return layer_norm(b, "layernorm", b.repeat("layers", config.decoder_layers, body, x, constants=constants))
    return normed_often(config, body, b, x, constants)


def normed_often(config: WithBackbone, body: object, b: Builder, x: Value, constants: tuple[Value, ...]) -> Value:
    """Returns x after a decoder whose one norm runs after every layer and once more at the end."""
    width = x.spec.shape[-1:]
    weights = [b.parameter(f"layernorm.{part}", width) for part in ("weight", "bias")]
    if type(config.decoder_layers) is not int:
        raise ConfigError("auxiliary_loss normalizes after each layer: decoder_layers is an integer")
    assert callable(body)
    for index in range(config.decoder_layers):
        with b.scope(f"layers.{index}"):
            x = body(b, x, *constants)
        x = b.apply("layer_norm", x, *weights, name=f"layernorm_{index}")
    return b.apply("layer_norm", x, *weights, name="layernorm")


def seen(
    config: TableTransformerConfig,
    workload: Workload,
    b: Builder,
    name: str,
    heads: Dim,
    x: Value,
    memory: Value | None,
    at: Value,
    of: Value,
) -> Value:
    """Returns x with what it reads of the memory, or of itself, added."""
    b.hold(x)
    y = layer_norm(b, f"{name}_layer_norm", x)
    kind = attrs.evolve(kind_of(config, heads, 1), out="out_proj")
    y = attention(kind, workload, b, name, y, y if memory is None else memory, at, of)
    y = dropped(b, f"{name}_dropout", y, config.dropout, workload)
    return b.apply("add", x, y, name=f"{name}_residual")


def network(config: TableTransformerConfig, workload: Workload, hidden: Dim, b: Builder, x: Value) -> Value:
    """Returns x with the output of a network of one hidden layer added."""
    y = linear(b, "fc1", layer_norm(b, "final_layer_norm", x), hidden)
    y = activated(b, ACTIVATIONS[config.activation_function], y, "activation")
    y = dropped(b, "activation_dropout", y, config.activation_dropout, workload)
    y = dropped(b, "dropout", linear(b, "fc2", y, x.spec.shape[-1]), config.dropout, workload)
    return b.apply("add", x, y, name="mlp_residual")


ARCHITECTURE = Architecture(
    "table-transformer",
    TableTransformerConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (IMAGE, IMAGE)},
    attention=("fused", "eager"),
    dtype="float32",
    aliases=ALIASES,
    no_cost=dict.fromkeys(NO_COST),
    model_types=("table-transformer",),
    losses=SUM_ALONE,
    doc="Table Transformer: DETR that normalizes before each part.",
)
