"""D-FINE: RT-DETR whose boxes are distributions that each layer refines (Peng et al., 2024, arXiv:2410.13842)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import attrs
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import dropped, layer_norm, linear

from graphacct import (
    Builder,
    ConfigError,
    DeclinedError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    equal,
    fields,
    frozen,
)
from graphacct_vision.convnets import hgnet_v2
from graphacct_vision.detectors import deformable, hybrid, rt_detr, rt_detr_queries
from graphacct_vision.detectors.box_distributions import (
    SIDES,
    box_of,
    head_of_boxes,
    quality,
    resting_head,
    unread_quality,
    weighting,
)
from graphacct_vision.detectors.conditional_detr import unsquashed
from graphacct_vision.detectors.queries import perceptron
from graphacct_vision.parts.layers import conv_norm
from graphacct_vision.parts.windows import ratio

CLASSES = tuple(f"DFine{end}" for end in rt_detr.ENDS)


def _points(value: Any, field: attrs.Attribute[Any]) -> Any:
    one = type(value) is int and value > 0
    many = isinstance(value, (list, tuple)) and all(type(count) is int and count > 0 for count in value)
    if not one and not many:
        raise ConfigError(f"{field.name} is a number of points, or one for each map, not {brief(value)}")
    return value if one else tuple(value)


def _place(default: int) -> Any:
    def check(value: Any, field: attrs.Attribute[Any]) -> int:
        if type(value) is not int:
            raise ConfigError(f"{field.name} is the place of a layer, not {brief(value)}")
        return value

    return fields.checked_field(check, default)


@frozen(kw_only=True)
class InnerHGNet(hgnet_v2.HGNetV2Config):
    """The backbone's keys inside the whole model."""

    model_type: str = fields.choice("hgnet_v2", ("hgnet_v2",))


@frozen(kw_only=True)
class DFineConfig(rt_detr.RTDetrConfig):
    """The keys of the published config.json that the cost depends on."""

    SCALED: ClassVar[bool] = True
    LAYERED: ClassVar[bool] = True

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone_config: InnerHGNet | None = fields.nested(InnerHGNet, "D-FINE")  # type: ignore[assignment]
    decoder_n_points: Any = fields.checked_field(_points, 4)
    decoder_method: str = fields.choice("default", ("default", "discrete"))
    eval_idx: int = _place(-1)
    layer_scale: float = ratio(1.0)
    max_num_bins: int = fields.size(32)
    depth_mult: float = ratio(1.0)
    top_prob_values: int = fields.size(4)
    lqe_hidden_dim: Dim = fields.size(64)
    lqe_layers: int = fields.size(2)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.decoder_method == "discrete":
            raise DeclinedError(
                "decoder_method is 'discrete', which is not modelled: places that are read instead of sampled"
            )
        if self.eval_idx not in (-1, self.decoder_layers - 1):
            raise ConfigError(
                f"eval_idx is {self.eval_idx}: the library's class has no head of boxes for the layers after it; "
                "leave it at -1"
            )
        if self.decoder_layers == 1 and self.tie_word_embeddings and self.architectures.endswith(rt_detr.ENDS[1]):
            raise ConfigError(
                "decoder_layers is 1: the library's class cannot tie one layer's head; set tie_word_embeddings to false"
            )
        if len(self.points) != self.num_feature_levels:
            raise ConfigError(
                f"decoder_n_points has {len(self.points)} numbers, but num_feature_levels is {self.num_feature_levels}"
            )

    @property
    def points(self) -> tuple[int, ...]:
        """How many points of each map a query reads."""
        one = self.decoder_n_points
        return one if isinstance(one, tuple) else (one,) * self.num_feature_levels

    @property
    def box_numbers(self) -> Dim:
        """How many numbers a layer's head of boxes returns: of each side, one more than there are bins."""
        return SIDES * (self.max_num_bins + 1)

    @property
    def hgnet(self) -> InnerHGNet:
        """The backbone."""
        return self.backbone_config or InnerHGNet(out_indices=(2, 3, 4))

    @property
    def channels(self) -> Dim:
        """The channels of an image."""
        return self.hgnet.num_channels

    def backbone_stages(self, workload: Workload, b: Builder, pixels: Value) -> list[Value]:
        """Returns the stages of the backbone that it hands on; the builder is in its scope."""
        every = hgnet_v2.stages(self.hgnet, workload, b, pixels, frozen=self.freeze_backbone_batch_norms)
        return [every[place] for place in self.hgnet.handed_on(len(self.hgnet.depths))]


def found(
    config: DFineConfig, workload: Workload, b: Builder, pixels: Value, *, boxed: bool
) -> tuple[Value, list[Value], list[Value]]:
    """Returns the queries' states, and the layers' classes and boxes where they are `boxed`: in training of each, else
    of the last."""
    maps = rt_detr.projected_maps(config, workload, b, pixels)
    with b.scope("encoder"):
        maps = hybrid.encoded(config, workload, b, maps, JOINING)
    memory, sizes = rt_detr_queries.flattened(config, b, sources_of(config, workload, b, maps))
    target, reference = rt_detr_queries.chosen(config, workload, b, memory)
    with b.scope("decoder"):
        return decoded(config, workload, b, target, reference, memory, sizes, boxed=boxed)


def sources_of(config: DFineConfig, workload: Workload, b: Builder, maps: list[Value]) -> list[Value]:
    """Returns the maps that queries read, as they are where they have the decoder's width."""
    every = [*maps, *[maps[-1]] * (config.num_feature_levels - len(maps))]
    if equal(config.d_model, config.decoder_in_channels[-1]):
        return every
    training = workload.phase == "train"
    return [
        rt_detr.projected(b, f"decoder_input_proj.{place}", x, config.d_model, training, smaller=place >= len(maps))
        for place, x in enumerate(every)
    ]


def aggregated(config: Any, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns a map of half the channels: both halves of it, and two paths of blocks one after the other."""
    act, width = ACTIVATIONS[config.activation_function], config.encoder_hidden_dim
    inner = round(config.hidden_expansion * width // 2)
    conv = partial(conv_norm, b, training=workload.phase == "train", act=act, parts=hybrid.PARTS)
    x = conv("conv1", x, 2 * width)
    parts = list(b.apply("split", x, name="halves", parts=2, dim=1))
    for place in (1, 2):
        with b.scope(f"csp_rep{place}"):
            y = hybrid.two_paths(config, workload, b, parts[-1], inner, round(hybrid.BLOCKS * config.depth_mult))
        parts.append(conv(f"conv{place + 1}", y, inner, 3, padding=1))
    return conv("conv4", b.apply("concat", *parts, name="parts", dim=1), width)


def smaller(config: Any, workload: Workload, b: Builder, name: str, x: Value) -> Value:
    """Returns a map of half the size, by a convolution of places and one of channels."""
    width = config.encoder_hidden_dim
    conv = partial(conv_norm, b, training=workload.phase == "train", act="", parts=hybrid.PARTS)
    x = conv(f"{name}.conv1", x, width)
    return conv(f"{name}.conv2", x, width, 3, stride=2, padding=1, groups=width)


JOINING = hybrid.Joining(aggregated, smaller, lateral=False)


def decoded(
    config: DFineConfig,
    workload: Workload,
    b: Builder,
    x: Value,
    reference: Value,
    memory: Value,
    sizes: list[tuple[Dim, Dim]],
    *,
    boxed: bool,
    place: Callable[..., Value] | None = None,
    through: Callable[..., Value] | None = None,
) -> tuple[Value, list[Value], list[Value]]:
    """Returns the queries' states, and layers' classes and boxes. `place` returns the positions of boxes and `through`
    the states after a layer; D-FINE's are the functions below."""
    place, through = place or placed, through or layer
    training, last = workload.phase == "train", config.decoder_layers - 1
    width = config.d_model
    logits, boxes = [], []
    project = weighting(config, b)
    box = b.apply("sigmoid", reference, name="reference")
    first = box
    before: Value | None = None
    corners: Value | None = None
    for index in range(config.decoder_layers):
        with b.turn(index):
            places = place(config, b, box)
        with b.scope(f"layers.{index}"):
            x = through(config, workload, b, x, places, box, memory, sizes)
        if index == 0:
            start = perceptron(b, "pre_bbox_head", x, width, SIDES, rt_detr_queries.BOX_LAYERS)
            start = b.apply("add", start, unsquashed(b, box, "reference_0"), name="start_raw")
            start = b.apply("sigmoid", start, name="start")
            first = b.apply("detach", start, name="start_alone")
        if not boxed:
            continue
        y = x if before is None else b.apply("add", x, before, name=f"with_before_{index}")
        y = head_of_boxes(config, b, y, index)
        corners = y if corners is None else b.apply("add", y, corners, name=f"corners_{index}")
        own = box_of(config, b, first, corners, project, index)
        box = b.apply("detach", own, name=f"reference_after_{index}")
        before = b.apply("detach", x, name=f"states_before_{index}")
        if training or index == last:
            scores = linear(b, f"class_embed.{index}", x, config.num_labels)
            if index == 0:
                logits.append(scores)
                boxes.append(start)
            with b.scope(f"lqe_layers.{index}"):
                logits.append(b.apply("add", scores, quality(config, b, corners), name="scores"))
            boxes.append(own)
        else:
            with b.scope(f"lqe_layers.{index}"):
                unread_quality(config, b)
            resting_head(b, f"class_embed.{index}", config.num_labels, width)
    if not boxed:
        for index in range(config.decoder_layers):
            with b.scope(f"lqe_layers.{index}"):
                unread_quality(config, b)
    return x, logits, boxes


def placed(config: DFineConfig, b: Builder, box: Value) -> Value:
    """Returns the positions of queries, of their boxes."""
    places = perceptron(b, "query_pos_head", box, 2 * config.d_model, config.d_model, rt_detr_queries.POSITION_LAYERS)
    return b.apply("clamp", places, name="query_places")


def layer(
    config: DFineConfig,
    workload: Workload,
    b: Builder,
    x: Value,
    places: Value,
    box: Value,
    memory: Value,
    sizes: list[tuple[Dim, Dim]],
) -> Value:
    """Returns the queries' states after a layer; the builder is in its scope."""
    b.hold(x)
    with b.scope("self_attn"):
        y = hybrid.attention(workload, b, x, places, config.decoder_attention_heads, config.attention_dropout)
    x = rt_detr_queries.normed(config, workload, b, "self_attn", x, y)
    with b.scope("encoder_attn"):
        query = b.apply("add", x, places, name="placed")
        y = deformable.by_level(b, query, memory, box, sizes, config.decoder_attention_heads, config.points)
    y = dropped(b, "encoder_attn_dropout", y, config.dropout, workload)
    with b.scope("gateway"):
        x = layer_norm(b, "norm", gated(b, x, y))
    act = ACTIVATIONS[config.decoder_activation_function]
    y = perceptron(b, "mlp", x, config.decoder_ffn_dim, config.d_model, 2, act)
    y = b.apply("clamp", b.apply("add", x, y, name="mlp_residual"), name="clamped")
    return layer_norm(b, "final_layer_norm", y)


def gated(b: Builder, x: Value, y: Value) -> Value:
    """Returns a sum of two streams, each times a gate that both determine; the builder is in the gate's scope."""
    width = x.spec.shape[-1]
    gates = b.apply("sigmoid", linear(b, "gate", b.apply("concat", x, y, name="both", dim=-1), 2 * width), name="gates")
    one, other = b.apply("split", gates, name="gate_parts", parts=2, dim=-1)
    return b.apply("add", b.apply("mul", one, x, name="kept"), b.apply("mul", other, y, name="taken"), name="gated")


ARCHITECTURE = rt_detr.family(
    "d_fine",
    DFineConfig,
    PresetFiles(__file__),
    "D-FINE: RT-DETR whose boxes are distributions that each layer refines.",
    found,
)
