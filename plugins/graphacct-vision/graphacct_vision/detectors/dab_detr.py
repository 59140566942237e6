"""DAB-DETR: queries that are boxes, which each layer moves (Liu et al., 2022, arXiv:2201.12329)."""

from __future__ import annotations

from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    DeclinedError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    exact_div,
    fields,
    frozen,
)
from graphacct_vision.detectors.box_queries import BOX, attended, crossed, modulated, own, sines
from graphacct_vision.detectors.conditional_detr import unread, unsquashed
from graphacct_vision.detectors.detr import ALIASES, BOX_LAYERS, IMAGE, NO_COST, positions
from graphacct_vision.detectors.detr_backbone import WithBackbone, maps
from graphacct_vision.detectors.queries import perceptron
from graphacct_vision.parts.layers import convolution

CLASSES = ("DabDetrModel", "DabDetrForObjectDetection")
PRELU = "prelu"


def _act(value: Any, field: attrs.Attribute[Any]) -> str:
    if isinstance(value, str) and (value == PRELU or value in ACTIVATIONS):
        return value
    raise ConfigError(f"{field.name} is {PRELU!r} or the name of another activation, not {value!r}")


@frozen(kw_only=True)
class DabDetrConfig(WithBackbone):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    num_queries: Dim = fields.size(300)
    encoder_layers: int = fields.size(6)
    decoder_layers: int = fields.size(6)
    activation_function: str = fields.checked_field(_act, PRELU)
    query_dim: int = fields.size(BOX)
    keep_query_pos: bool = fields.flag(False)
    num_patterns: int = fields.size(0, minimum=0)
    normalize_before: bool = fields.flag(False)
    tie_word_embeddings: bool = fields.flag(True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.query_dim != BOX:
            raise ConfigError(f"query_dim is {self.query_dim}: queries are boxes of {BOX} numbers")
        if type(self.decoder_layers) is not int or type(self.encoder_layers) is not int:
            raise ConfigError("encoder_layers and decoder_layers are integers: one module runs in each")
        if self.of_timm and self.backbone_config is not None and self.backbone_config.features_only is False:
            raise DeclinedError("backbone_config.features_only is false, which is not modelled")


def build(config: DabDetrConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to the queries' states, or to their classes, boxes and states."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        _, _, x = found(config, workload, b, pixels)
        return (x,)
    with b.scope("model"):
        states, references, x = found(config, workload, b, pixels)
    logits = linear(b, "class_embed", states[-1], config.num_labels)
    every = b.apply("stack", *states, name="all_states")
    places = b.apply("stack", *references, name="all_references")
    corners = own_head(config, b, every)
    corners = b.apply("add", corners, unsquashed(b, places, "references"), name="corners")
    boxes = b.apply("sigmoid", corners, name="boxes")
    last = b.apply("select", boxes, name="pred_boxes", dim=0, index=len(states) - 1)
    return logits, last, x


def found(
    config: DabDetrConfig, workload: Workload, b: Builder, pixels: Value
) -> tuple[list[Value], list[Value], Value]:
    """Returns the states of the queries after each layer, normalized, the boxes that each layer is given, and the
    states after all layers, normalized."""
    width = config.d_model
    timm = "._backbone" if config.of_timm else ""
    with b.scope("backbone"):
        with b.scope(f"conv_encoder.model{timm}"):
            x = maps(config, workload, b, pixels, trained=True)[-1]
        batch, _, rows, columns = x.spec.shape
        places = positions(config, b, batch, (rows, columns))
    x = convolution(b, "input_projection", x, width, bias=True)
    x = b.apply("reshape", x, name="flat", shape=(batch, width, rows * columns))
    x = b.apply("transpose", x, name="tokens", dims=(1, 2))
    b.hold(places)
    with b.scope("encoder"):
        memory = encoded(config, workload, b, x, places)
    count = config.num_queries
    table = b.parameter("query_refpoint_embeddings.weight", (count, BOX))
    reference = b.apply("reshape", table, name="boxes_row", shape=(1, count, BOX))
    reference = b.apply("repeat", reference, name="boxes_of_batch", times=(batch, 1, 1))
    if config.num_patterns:
        table = b.parameter("patterns.weight", (config.num_patterns, width))
        each = b.apply("reshape", table, name="patterns_row", shape=(config.num_patterns, 1, 1, width))
        each = b.apply("repeat", each, name="patterns_of_queries", times=(1, count, batch, 1))
        each = b.apply("reshape", each, name="queries_first", shape=(config.num_patterns * count, batch, width))
        queries = b.apply("permute", each, name="queries", dims=(1, 0, 2))
        reference = b.apply("repeat", reference, name="boxes_of_patterns", times=(1, config.num_patterns, 1))
    else:
        queries = b.apply("full", name="queries", shape=(batch, count, width), dtype="float32")
        if b.dtype != "float32":
            raise ConfigError(
                "dtype is not float32: the library's class begins with queries in float32, which its layers in another "
                "cannot read; set num_patterns above 0 or dtype to float32"
            )
    with b.scope("decoder"):
        return decoded(config, workload, b, queries, reference, memory, places)


def acted(config: DabDetrConfig, b: Builder, x: Value) -> Value:
    """Returns the activation of x, which may have a slope to learn."""
    if config.activation_function != PRELU:
        return activated(b, ACTIVATIONS[config.activation_function], x, "activation")
    found: Value = b.apply("prelu", x, b.parameter("activation_fn.weight", (1,)), name="activation_fn")
    return found


def encoded(config: DabDetrConfig, workload: Workload, b: Builder, x: Value, places: Value) -> Value:
    """Returns the map's places after the encoder, whose positions are scaled by a network of the states."""
    width, heads = config.d_model, config.encoder_attention_heads
    for index in range(config.encoder_layers):
        with b.turn(index):
            factor = perceptron(b, "query_scale", x, width, width, 2)
        scaled = b.apply("mul", places, factor, name=f"places_{index}")
        with b.scope(f"layers.{index}"):
            with b.scope("self_attn"):
                placed = b.apply("add", x, scaled, name="placed")
                q, k = (linear(b, f"{label}_proj", placed, width) for label in "qk")
                y = attended(config, workload, b, q, k, linear(b, "v_proj", x, width), heads)
                y = linear(b, "out_proj", y, width)
            y = dropped(b, "dropout", y, config.dropout, workload)
            x = layer_norm(b, "self_attn_layer_norm", b.apply("add", x, y, name="attn_residual"))
            y = acted(config, b, linear(b, "fc1", x, config.encoder_ffn_dim))
            y = dropped(b, "activation_dropout", y, config.dropout, workload)
            y = dropped(b, "mlp_dropout", linear(b, "fc2", y, width), config.dropout, workload)
            x = layer_norm(b, "final_layer_norm", b.apply("add", x, y, name="mlp_residual"))
    return layer_norm(b, "norm", x) if config.normalize_before else x


def decoded(
    config: DabDetrConfig, workload: Workload, b: Builder, x: Value, reference: Value, memory: Value, places: Value
) -> tuple[list[Value], list[Value], Value]:
    """Returns the queries' states after each layer, normalized, the boxes that each layer is given, and the states
    after all layers, normalized. With heads a layer's boxes, without their gradients, are the next one's."""
    width, layers = config.d_model, config.decoder_layers
    refined = config.architectures == CLASSES[1]
    box = b.apply("sigmoid", reference, name="boxes_0")
    states, references = [], [box]
    for index in range(layers):
        waves = sines(b, box, exact_div(width, 2, "hidden_size / 2"), index)
        with b.turn(index):
            where = perceptron(b, "ref_point_head", waves, width, width, 2)
        centre = b.apply("slice", waves, name=f"centre_{index}", dim=-1, start=0, length=width)
        if index:
            with b.turn(index - 1):
                factor = perceptron(b, "query_scale", x, width, width, 2)
            centre = b.apply("mul", centre, factor, name=f"centre_scaled_{index}")
        else:
            centre = b.apply("scale", centre, name=f"centre_scaled_{index}")
        with b.turn(index):
            size = b.apply("sigmoid", perceptron(b, "ref_anchor_head", x, width, 2, 2), name="ref_anchor_head.sigmoid")
        centre = modulated(b, centre, size, box, index)
        placed = index == 0 or config.keep_query_pos
        with b.scope(f"layers.{index}"):
            x = own(config, workload, b, x, where)
            x = crossed(config, workload, b, x, memory, where, places, centre, placed=placed)
            x = network(config, workload, b, x)
        if refined:
            with b.turn(index):
                corners = perceptron(b, "bbox_embed", x, width, BOX, BOX_LAYERS)
            corners = b.apply("add", corners, unsquashed(b, box, f"box_{index}"), name=f"corners_{index}")
            box = b.apply("sigmoid", corners, name=f"boxes_{index + 1}")
            if index + 1 < layers:
                references.append(box)
            box = b.apply("detach", box, name=f"boxes_{index + 1}_alone")
        with b.turn(index):
            states.append(layer_norm(b, "layernorm", x))
    if layers == 1:  # a module that no layer runs
        with b.scope("query_scale"):
            for index in range(2):
                unread(b, f"layers.{index}", (width, width), (width,))
    with b.turn(layers):
        return states, references, layer_norm(b, "layernorm", x)


def own_head(config: DabDetrConfig, b: Builder, x: Value) -> Value:
    """Returns how boxes differ, by the head that is the decoder's too unless the file unties it."""
    name = "bbox_predictor"
    with b.scope(name):
        for place in range(BOX_LAYERS):
            last = place + 1 == BOX_LAYERS
            shape = (BOX if last else config.d_model, config.d_model)
            other = f"model.decoder.bbox_embed.layers.{place}" if config.tie_word_embeddings else ""
            parts = [
                b.parameter(f"layers.{place}.{part}", size, tied_to=other and f"{other}.{part}")
                for part, size in (("weight", shape), ("bias", shape[:1]))
            ]
            x = b.apply("linear", x, *parts, name=f"layers.{place}")
            x = x if last else b.apply("relu", x, name=f"activation_{place}")
    return x


def network(config: DabDetrConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the states after a network of one hidden layer."""
    with b.scope("mlp"):
        y = acted(config, b, linear(b, "fc1", x, config.decoder_ffn_dim))
        y = dropped(b, "activation_dropout", y, config.activation_dropout, workload)
        y = dropped(b, "dropout", linear(b, "fc2", y, config.d_model), config.dropout, workload)
        return layer_norm(b, "final_layer_norm", b.apply("add", x, y, name="residual"))


ARCHITECTURE = Architecture(
    "dab-detr",
    DabDetrConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (IMAGE, IMAGE)},
    dtype="float32",
    aliases=ALIASES,
    no_cost=dict.fromkeys(
        (
            *NO_COST,
            *("temperature_height", "temperature_width", "random_refpoints_xy", "sine_position_embedding_scale"),
            "initializer_bias_prior_prob",
        )
    ),
    model_types=("dab-detr",),
    losses=SUM_ALONE,
    doc="DAB-DETR: queries that are boxes, which each layer moves.",
)
