"""Conditional DETR: queries that look where their own reference points are (Meng et al., 2021, arXiv:2108.06152)."""

from __future__ import annotations

from typing import ClassVar

from graphacct_architectures.layers import linear, merge_heads, split_heads
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, attended

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_vision.detectors.detr import (
    ALIASES,
    BOX_LAYERS,
    ENDS,
    IMAGE,
    NO_COST,
    Seen,
    encoded,
    kind_of,
    looked,
    network,
    normed,
)
from graphacct_vision.detectors.detr_backbone import WithBackbone
from graphacct_vision.detectors.mask_head import segmented
from graphacct_vision.detectors.queries import boxes, perceptron

CLASSES = tuple(f"ConditionalDetr{end}" for end in ENDS)


@frozen(kw_only=True)
class ConditionalDetrConfig(WithBackbone):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "conditional_detr"

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    num_queries: Dim = fields.size(300)


def build(config: ConditionalDetrConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to the queries' states and the map's, to their classes, boxes and states, or to
    their classes, boxes and masks."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.channels, *workload.image_size))
    if config.architectures.endswith(ENDS[0]):
        x, seen, _ = found(config, workload, b, pixels)
        return x, seen.memory
    masked = config.architectures.endswith(ENDS[2])
    with b.scope(config.SCOPE if masked else ""):
        with b.scope("model"):
            x, seen, points = found(config, workload, b, pixels)
        logits = linear(b, "class_labels_classifier", x, config.num_labels)
        if masked:
            places = boxes(b, "bbox_predictor", x, config.d_model, BOX_LAYERS)
        else:
            y = perceptron(b, "bbox_predictor", x, config.d_model, 4, BOX_LAYERS)
            place = unsquashed(b, points, "reference")
            centre, size = b.apply("split", y, name="box_parts", parts=2, dim=-1)
            y = b.apply("concat", b.apply("add", centre, place, name="centre"), size, name="boxes", dim=-1)
            places = b.apply("sigmoid", y, name="pred_boxes")
    return logits, places, segmented(config, b, x, seen) if masked else x


def unsquashed(b: Builder, x: Value, name: str) -> Value:
    """Returns the numbers whose sigmoids x are, away from 0 and 1."""
    x = b.apply("clamp", x, name=f"{name}_inside")
    above = b.apply("clamp", x, name=f"{name}_above")
    below = b.apply("clamp", b.apply("shift", x, name=f"{name}_rest"), name=f"{name}_below")
    found: Value = b.apply("log", b.apply("div", above, below, name=f"{name}_odds"), name=f"{name}_before_sigmoid")
    return found


def found(config: ConditionalDetrConfig, workload: Workload, b: Builder, pixels: Value) -> tuple[Value, Seen, Value]:
    """Returns the states of the queries, normalized, what they look at, and their reference points."""
    s = looked(config, workload, b, pixels, encoded)
    with b.scope("decoder"):
        y, points = decoded(config, workload, b, s.queries, s.query_places, s.memory, s.places)
    return y, s, points


def decoded(
    config: ConditionalDetrConfig,
    workload: Workload,
    b: Builder,
    x: Value,
    queries: Value,
    memory: Value,
    places: Value,
) -> tuple[Value, Value]:
    """Returns the queries' states after the decoder, normalized, and their reference points. Each layer scales the
    points' waves by a perceptron of the states, which all layers but the first share."""
    layers, width = config.decoder_layers, config.d_model
    if type(layers) is not int:
        raise ConfigError("decoder_layers must be a number: the first layer differs from the others")
    points = perceptron(b, "ref_point_head", queries, width, 2, 2)
    points = b.apply("sigmoid", points, name="reference_points")
    waves = sines(b, points, exact_div(width, 2, "d_model / 2"))
    weights = [b.parameter(f"layernorm.{part}", (width,)) for part in ("weight", "bias")]
    for index in range(layers):
        if index == 0:
            y = b.apply("scale", waves, name="waves_0")
        else:
            with b.turn(index - 1):
                factor = perceptron(b, "query_scale", x, width, width, 2)
            y = b.apply("mul", waves, factor, name=f"waves_{index}")
        with b.scope(f"layers.{index}"):
            x = layer(config, workload, b, x, queries, memory, places, y, first=index == 0)
        if config.auxiliary_loss:
            x = b.apply("layer_norm", x, *weights, name=f"layernorm_{index}")
    if layers == 1:  # a module that no layer runs
        with b.scope("query_scale"):
            for index in range(2):
                unread(b, f"layers.{index}", (width, width), (width,))
    return b.apply("layer_norm", x, *weights, name="layernorm"), points


def unread(b: Builder, name: str, *shapes: tuple[Dim, ...]) -> None:
    """Adds a weight and a bias that are in memory and that nothing reads."""
    for part, shape in zip(("weight", "bias"), shapes, strict=True):
        b.apply("resident", b.parameter(f"{name}.{part}", shape), name=f"{name}.{part}_unread")


def sines(b: Builder, points: Value, half: Dim) -> Value:
    """Returns waves (batch, queries, 2 * half) of points (batch, queries, 2)."""
    rates = b.apply("full", name="rates", shape=(half,), dtype="float32")
    parts = []
    for place, word in enumerate(("x", "y")):
        one = b.apply("slice", points, name=word, dim=-1, start=place, length=1)
        one = b.apply("div", b.apply("scale", one, name=f"{word}_circle"), rates, name=f"{word}_angles")
        sine, cosine = b.apply("split", one, name=f"{word}_halves", parts=2, dim=-1)
        sine, cosine = b.apply("sin", sine, name=f"{word}_sin"), b.apply("cos", cosine, name=f"{word}_cos")
        parts.append(b.apply("concat", sine, cosine, name=f"{word}_waves", dim=-1))
    found = b.apply("concat", *reversed(parts), name="waves", dim=-1)
    return b.apply("cast", found, name="waves_cast", dtype=b.dtype) if found.spec.dtype != b.dtype else found


def layer(
    config: ConditionalDetrConfig,
    workload: Workload,
    b: Builder,
    x: Value,
    queries: Value,
    memory: Value,
    places: Value,
    waves: Value,
    *,
    first: bool,
) -> Value:
    """Returns the states after a layer of the decoder."""
    kind = kind_of(config, config.decoder_attention_heads, config.decoder_ffn_dim)
    with b.scope("self_attn"):
        y = own(kind, workload, b, x, queries)
    x = normed(config, workload, b, "self_attn", y, x)
    with b.scope("encoder_attn"):
        y = crossed(kind, workload, b, x, memory, queries if first else None, places, waves)
    x = normed(config, workload, b, "encoder_attn", y, x)
    return network(kind, config, workload, b, x)


def own(kind: Tower, workload: Workload, b: Builder, x: Value, queries: Value) -> Value:
    """Returns attention of the queries among themselves, each with its position projected."""
    width = x.spec.shape[-1]
    d_head = exact_div(width, kind.heads, "d_model / attention heads")
    q, k = (
        b.apply(
            "add",
            linear(b, f"{label}_content_proj", x, width),
            linear(b, f"{label}_pos_proj", queries, width),
            name=f"{label}_placed",
        )
        for label in "qk"
    )
    v = linear(b, "v_proj", x, width)
    parts = [split_heads(b, part, kind.heads, d_head, label) for part, label in ((q, "q"), (k, "k"), (v, "v"))]
    b.hold(*parts)
    y, _ = attended(kind, workload, b, parts[0], parts[1], parts[2], None)
    return linear(b, "o_proj", merge_heads(b, y), width)


def crossed(
    kind: Tower,
    workload: Workload,
    b: Builder,
    x: Value,
    memory: Value,
    queries: Value | None,
    places: Value,
    waves: Value,
) -> Value:
    """Returns attention of the queries to the map, whose heads have a half of content and a half of position."""
    batch, _, width = x.spec.shape
    heads = kind.heads
    d_head = exact_div(width, heads, "d_model / attention heads")
    q, k = linear(b, "q_content_proj", x, width), linear(b, "k_content_proj", memory, width)
    v, where = linear(b, "v_proj", memory, width), linear(b, "k_pos_proj", places, width)
    if queries is not None:
        q = b.apply("add", q, linear(b, "q_pos_proj", queries, width), name="q_placed")
        k = b.apply("add", k, where, name="k_placed")
    waves = linear(b, "q_pos_sine_proj", waves, width)
    both = []
    for label, content, position in (("q", q, waves), ("k", k, where)):
        count = content.spec.shape[1]
        halves = [
            b.apply("reshape", part, name=f"{label}_{word}", shape=(batch, count, heads, d_head))
            for part, word in ((content, "content"), (position, "position"))
        ]
        joined = b.apply("concat", *halves, name=f"{label}_both", dim=-1)
        both.append(b.apply("transpose", joined, name=f"{label}_transposed", dims=(1, 2)))
    value = split_heads(b, v, heads, d_head, "v")
    b.hold(*both, value)
    y, _ = attended(kind, workload, b, both[0], both[1], value, None)
    return linear(b, "o_proj", merge_heads(b, y), width)


ARCHITECTURE = Architecture(
    "conditional_detr",
    ConditionalDetrConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (IMAGE, IMAGE)},
    attention=("fused", "eager"),
    dtype="float32",
    aliases=ALIASES,
    no_cost=dict.fromkeys(NO_COST),
    model_types=("conditional_detr",),
    losses=SUM_ALONE,
    doc="Conditional DETR: queries that look where their own reference points are.",
)
