"""Table Transformer: DETR that normalizes before each part (Smock et al., 2021, arXiv:2110.00061)."""

from __future__ import annotations

import attrs
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_vision.detectors.detr import (
    ALIASES,
    IMAGE,
    NO_COST,
    Seen,
    attention,
    detecting,
    kind_of,
    looked,
    normed_often,
)
from graphacct_vision.detectors.detr_backbone import WithBackbone

CLASSES = ("TableTransformerModel", "TableTransformerForObjectDetection")


@frozen(kw_only=True)
class TableTransformerConfig(WithBackbone):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)


def found(config: TableTransformerConfig, workload: Workload, b: Builder, pixels: Value) -> tuple[Value, Seen]:
    """Returns the states of the queries, normalized, and what they look at."""
    s = looked(config, workload, b, pixels, encoded, "backbone.conv_encoder.model", "backbone")
    with b.scope("decoder"):
        return decoded(config, workload, b, s.queries, s.query_places, s.memory, s.places), s


def encoded(config: TableTransformerConfig, workload: Workload, b: Builder, x: Value, places: Value) -> Value:
    """Returns the map's places after the encoder, normalized."""
    x = dropped(b, "dropout", x, config.dropout, workload)

    def body(b: Builder, x: Value, places: Value) -> Value:
        x = attended(config, workload, b, "self_attn", config.encoder_attention_heads, x, None, places, places)
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
        x = attended(config, workload, b, "self_attn", heads, x, None, queries, queries)
        x = attended(config, workload, b, "encoder_attn", heads, x, memory, queries, places)
        return network(config, workload, config.decoder_ffn_dim, b, x)

    if not config.auxiliary_loss:
        return layer_norm(b, "layernorm", b.repeat("layers", config.decoder_layers, body, x, constants=constants))
    return normed_often(config, body, b, x, constants)


def attended(
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
    detecting(found),
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
