"""Deformable DETR: attention that samples a few points of several maps (Zhu et al., 2020, arXiv:2010.04159)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct_architectures.layers import dropped, layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_vision.detectors import deformable
from graphacct_vision.detectors.deformable import BOX
from graphacct_vision.detectors.deformable_maps import GROUPS, corners, flattened, moved, projected, shared
from graphacct_vision.detectors.detr import (
    ALIASES,
    BOX_LAYERS,
    IMAGE,
    NO_COST,
    attention,
    kind_of,
    network,
    normed,
)
from graphacct_vision.detectors.detr_backbone import WithBackbone, maps
from graphacct_vision.detectors.queries import perceptron

CLASSES = ("DeformableDetrModel", "DeformableDetrForObjectDetection")
DEEP, LAST = (2, 3, 4), (4,)


@frozen(kw_only=True)
class DeformableDetrConfig(WithBackbone):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    num_queries: Dim = fields.size(300)
    encoder_layers: int = fields.size(6)
    encoder_ffn_dim: Dim = fields.size(1024)
    decoder_layers: int = fields.size(6)
    decoder_ffn_dim: Dim = fields.size(1024)
    num_feature_levels: int = fields.size(4)
    encoder_n_points: Dim = fields.size(4)
    decoder_n_points: Dim = fields.size(4)
    two_stage: bool = fields.flag(False)
    two_stage_num_proposals: Dim = fields.size(300)
    with_box_refine: bool = fields.flag(False)
    tie_word_embeddings: bool = fields.flag(True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        for key in ("encoder_layers", "decoder_layers", "num_feature_levels"):
            if type(getattr(self, key)) is not int:
                raise ConfigError(f"{key} must be a number: each layer and map has a name of its own")
        exact_div(self.d_model, GROUPS, f"d_model / {GROUPS} groups")
        if self.two_stage and not self.with_box_refine:
            raise ConfigError("two_stage is true, but with_box_refine false: two stages refine boxes")
        if self.two_stage and self.architectures == CLASSES[0]:
            raise ConfigError(f"two_stage is true: {CLASSES[0]} alone has no heads to choose places with")
        tied = self.tie_word_embeddings and not self.two_stage and self.architectures == CLASSES[1]
        if self.decoder_layers == 1 and tied:
            raise ConfigError(
                "decoder_layers is 1: the library's class cannot tie one layer's head; set tie_word_embeddings to false"
            )

    @property
    def timm_places(self) -> tuple[int, ...]:
        """The maps of timm's backbone where the file names none."""
        return DEEP if self.num_feature_levels > 1 else LAST


def build(config: DeformableDetrConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to the queries' states and the maps' places, or to their classes and boxes."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        states, _, memory = found(config, workload, b, pixels)
        return states[-1], memory
    with b.scope("model"):
        states, references, _ = found(config, workload, b, pixels)
    logits, boxes = [], []
    for index, (x, reference) in enumerate(zip(states, references, strict=True)):
        logits.append(classes(config, b, index, x))
        y = corners(b, index, x, config.d_model, source(config, "bbox_embed", index))
        boxes.append(b.apply("sigmoid", moved(b, y, reference, f"boxes_{index}"), name=f"boxes_{index}"))
    for index in range(config.decoder_layers, config.decoder_layers + config.two_stage):
        idle(config, b, index)
    last = [
        b.apply("select", b.apply("stack", *parts, name=f"all_{word}"), name=word, dim=0, index=len(parts) - 1)
        for parts, word in ((logits, "logits"), (boxes, "pred_boxes"))
    ]
    return tuple(last)


def source(config: DeformableDetrConfig, head: str, index: int, within: str = "") -> str:
    """Returns the path of the head's module whose tensors this one shares; empty if it has its own. Without
    refinement every layer has the first layer's head; with it, the class has the decoder's."""
    inside = config.with_box_refine if head == "bbox_embed" else config.two_stage
    if within or not config.tie_word_embeddings:
        return ""
    if inside:
        return f"model.decoder.{head}.{index}"
    return f"{head}.0" if index else ""


def classes(config: DeformableDetrConfig, b: Builder, index: int, x: Value) -> Value:
    """Returns the logits of the queries' classes after a layer."""
    name = f"class_embed.{index}"
    parts = shared(b, name, source(config, "class_embed", index), config.num_labels, config.d_model)
    return b.apply("linear", x, *parts, name=name)


def idle(config: DeformableDetrConfig, b: Builder, index: int) -> None:
    """Adds the heads of the first stage under the class's own names, which only the decoder runs."""
    width = config.d_model
    shapes = {f"class_embed.{index}": (config.num_labels, width)}
    shapes |= {
        f"bbox_embed.{index}.layers.{place}": (BOX if place + 1 == BOX_LAYERS else width, width)
        for place in range(BOX_LAYERS)
    }
    for name, (out, taken) in shapes.items():
        other = f"model.decoder.{name}" if config.tie_word_embeddings else ""
        for part, tensor in zip(("weight", "bias"), shared(b, name, other, out, taken), strict=True):
            b.apply("resident", tensor, name=f"{name}.{part}_again")


def found(
    config: DeformableDetrConfig, workload: Workload, b: Builder, pixels: Value
) -> tuple[list[Value], list[Value], Value]:
    """Returns the states of the queries after each layer, the references that each layer is given, and the states of
    the places of all maps."""
    with b.scope("backbone.model"):
        handed = maps(config, workload, b, pixels)
    sources = projected(config, b, handed)
    sizes = [(x.spec.shape[2], x.spec.shape[3]) for x in sources]
    memory, places, hidden = flattened(config, workload, b, sources)
    count = memory.spec.shape[1]
    near = b.apply("constant", name="reference_places", shape=(workload.batch, count, len(sizes), 2), dtype=b.dtype)
    with b.scope("encoder"):
        memory = encoded(config, workload, b, memory, places, near, hidden, sizes)
    if config.two_stage:
        target, queries, reference = chosen(config, workload, b, memory, hidden)
    else:
        table = b.parameter("query_position_embeddings.weight", (config.num_queries, 2 * config.d_model))
        halves = b.apply("split", table, name="query_halves", parts=2, dim=1)
        shape = (workload.batch, config.num_queries, config.d_model)
        queries, target = (
            b.apply("expand", half, name=word, shape=shape)
            for half, word in zip(halves, ("query_positions", "queries"), strict=True)
        )
        reference = b.apply("sigmoid", linear(b, "reference_points", queries, 2), name="reference")
    with b.scope("decoder"):
        states, references = decoded(config, workload, b, target, queries, reference, memory, hidden, sizes)
    return states, references, memory


def encoded(
    config: DeformableDetrConfig,
    workload: Workload,
    b: Builder,
    x: Value,
    places: Value,
    near: Value,
    hidden: Value,
    sizes: Sequence[tuple[Dim, Dim]],
) -> Value:
    """Returns the places of all maps after the encoder."""
    x = dropped(b, "dropout", x, config.dropout, workload)
    kind = kind_of(config, config.encoder_attention_heads, config.encoder_ffn_dim)

    def body(b: Builder, x: Value, places: Value, near: Value, hidden: Value) -> Value:
        with b.scope("self_attn"):
            placed = b.apply("add", x, places, name="placed")
            y = deformable.attention(b, placed, x, near, sizes, kind.heads, config.encoder_n_points, hidden)
        return network(kind, config, workload, b, normed(config, workload, b, "self_attn", y, x))

    return b.repeat("layers", config.encoder_layers, body, x, constants=(places, near, hidden))


def chosen(
    config: DeformableDetrConfig, workload: Workload, b: Builder, memory: Value, hidden: Value
) -> tuple[Value, Value, Value]:
    """Returns the targets, positions and boxes of the places that the first stage's heads score highest."""
    batch, places, width = memory.spec.shape
    count, index = config.two_stage_num_proposals, config.decoder_layers
    anchors = b.apply("constant", name="proposals", shape=(batch, places, BOX), dtype=b.dtype)
    x = b.apply("masked_fill", memory, hidden, name="memory_seen")
    valid = b.apply("constant", name="outside", shape=(batch, places, 1), dtype="bool")
    x = b.apply("masked_fill", x, valid, name="memory_inside")
    x = layer_norm(b, "enc_output_norm", linear(b, "enc_output", x, width))
    with b.scope("decoder"):
        scores = linear(b, f"class_embed.{index}", x, config.num_labels)
        boxes = perceptron(b, f"bbox_embed.{index}", x, width, BOX, BOX_LAYERS)
    boxes = b.apply("add", boxes, anchors, name="boxes_of_places")
    first = b.apply("select", scores, name="first_scores", dim=-1, index=0)
    _, best = b.apply("topk", first, name="best", k=count, dim=1)
    best = b.apply("reshape", best, name="best_index", shape=(batch, count, 1))
    best = b.apply("repeat", best, name="best_corners", times=(1, 1, BOX))
    boxes = b.apply("detach", b.apply("gather", boxes, best, name="best_boxes", dim=1), name="best_alone")
    reference = b.apply("sigmoid", boxes, name="reference")
    waves = b.apply("scale", b.apply("sigmoid", boxes, name="best_sigmoid"), name="circles")
    half = exact_div(width, 2, "d_model / 2")
    waves = b.apply("reshape", waves, name="circles_apart", shape=(batch, count, BOX, 1))
    rates = b.apply("constant", name="rates", shape=(half,), dtype="float32")
    waves = b.apply("div", waves, rates, name="angles")
    sine, cosine = b.apply("split", waves, name="angle_halves", parts=2, dim=-1)
    sine, cosine = b.apply("sin", sine, name="sines"), b.apply("cos", cosine, name="cosines")
    waves = b.apply("concat", sine, cosine, name="waves", dim=-1)
    waves = b.apply("reshape", waves, name="waves_flat", shape=(batch, count, BOX * half))
    if waves.spec.dtype != b.dtype:
        waves = b.apply("cast", waves, name="waves_cast", dtype=b.dtype)
    both = layer_norm(b, "pos_trans_norm", linear(b, "pos_trans", waves, 2 * width))
    queries, target = b.apply("split", both, name="query_halves", parts=2, dim=-1)
    return target, queries, reference


def decoded(
    config: DeformableDetrConfig,
    workload: Workload,
    b: Builder,
    x: Value,
    queries: Value,
    reference: Value,
    memory: Value,
    hidden: Value,
    sizes: Sequence[tuple[Dim, Dim]],
) -> tuple[list[Value], list[Value]]:
    """Returns the queries' states after each layer, and the references that each is given. With refinement a layer's
    boxes, without their gradients, are the next one's references."""
    kind = kind_of(config, config.decoder_attention_heads, config.decoder_ffn_dim)
    refined = config.with_box_refine and config.architectures != CLASSES[0]
    ratios: dict[Any, Value] = {}
    states, references = [], []
    for index in range(config.decoder_layers):
        references.append(reference)
        batch, count, numbers = reference.spec.shape
        if numbers not in ratios:
            shape = (batch, 1, len(sizes), numbers)
            ratios[numbers] = b.apply("constant", name=f"ratios_of_{numbers}", shape=shape, dtype=b.dtype)
        near = b.apply("reshape", reference, name=f"reference_row_{index}", shape=(batch, count, 1, numbers))
        near = b.apply("mul", near, ratios[numbers], name=f"near_{index}")
        with b.scope(f"layers.{index}"):
            y = attention(kind, workload, b, "self_attn", x, x, queries, queries)
            x = normed(config, workload, b, "self_attn", y, x)
            with b.scope("encoder_attn"):
                placed = b.apply("add", x, queries, name="placed")
                y = deformable.attention(b, placed, memory, near, sizes, kind.heads, config.decoder_n_points, hidden)
            x = normed(config, workload, b, "encoder_attn", y, x)
            x = network(kind, config, workload, b, x)
        states.append(x)
        if refined:
            y = perceptron(b, f"bbox_embed.{index}", x, config.d_model, BOX, BOX_LAYERS)
            y = b.apply("sigmoid", moved(b, y, reference, f"refined_{index}"), name=f"refined_{index}")
            reference = b.apply("detach", y, name=f"reference_after_{index}")
    return states, references


ARCHITECTURE = Architecture(
    "deformable_detr",
    DeformableDetrConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (IMAGE, IMAGE)},
    attention=("fused", "eager"),
    dtype="float32",
    aliases=ALIASES,
    no_cost=dict.fromkeys((*NO_COST, "return_intermediate", "disable_custom_kernels")),
    model_types=("deformable_detr",),
    losses=SUM_ALONE,
    doc="Deformable DETR: attention that samples a few points of several maps, with one stage or two.",
)
