"""DEIMv2: D-FINE with maps that are added, gated networks, and a small encoder or DINOv3's tokens with details.

Huang et al., 2025 (arXiv:2509.20787).
"""

from __future__ import annotations

from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import dropped, linear, rms_norm

from graphacct import (
    Builder,
    ConfigError,
    DeclinedError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    equal,
    fields,
    floor_div,
    frozen,
)
from graphacct_vision.convnets import hgnet_v2
from graphacct_vision.detectors import d_fine, deformable, deimv2_encoder, hybrid, rt_detr, rt_detr_queries
from graphacct_vision.detectors.queries import perceptron
from graphacct_vision.parts.inner_backbone import backbone, maps
from graphacct_vision.parts.layers import conv_norm, resized

CLASSES = tuple(f"Deimv2{end}" for end in rt_detr.ENDS)
KINDS = ("hgnet_v2", "dinov3_vit")
COLOURS = 3
DETAILS = 3
"""How many maps of details there are."""


@frozen(kw_only=True)
class Deimv2Config(d_fine.DFineConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone_config: SubModel = backbone("hgnet_v2", {"out_indices": [2, 3, 4]})  # type: ignore[assignment]
    encoder_fuse_op: str = fields.choice("sum", ("sum", "cat"))
    spatial_tuning_adapter_inplanes: Dim = fields.size(16)
    encoder_type: str = fields.choice("hybrid", ("hybrid", "lite"))
    use_gateway: bool = fields.flag(True)
    share_bbox_head: bool = fields.flag(False)
    encoder_has_trailing_conv: bool = fields.flag(True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        kind = self.backbone_config.architecture.model_types[0]
        if kind not in KINDS:
            raise DeclinedError(f"backbone_config.model_type is {kind!r}: DEIMv2's backbones are {' and '.join(KINDS)}")
        if self.encoder_type == "hybrid" and self.encoder_fuse_op == "cat":
            raise ConfigError(
                "encoder_fuse_op is 'cat': the library's class joins maps of encoder_hidden_dim channels, "
                "which two side by side do not have; set it to 'sum'"
            )

    @property
    def of_tokens(self) -> bool:
        """Whether the backbone is a ViT."""
        return KINDS[1] in self.backbone_config.architecture.model_types

    @property
    def channels(self) -> Dim:
        """The channels of an image."""
        return self.backbone_config.config.num_channels


def found(
    config: Deimv2Config, workload: Workload, b: Builder, pixels: Value, *, boxed: bool
) -> tuple[Value, list[Value], list[Value]]:
    """Returns the queries' states, and the layers' classes and boxes where they are `boxed`: in training of each, else
    of the last."""
    with b.scope("conv_encoder"):
        handed = detailed(config, workload, b, pixels) if config.of_tokens else stages(config, workload, b, pixels)
    with b.scope("encoder"):
        if config.encoder_type == "lite":
            handed = deimv2_encoder.light(config, workload, b, handed)
        else:
            handed = hybrid.encoded(config, workload, b, handed, deimv2_encoder.JOINING)
    memory, sizes = rt_detr_queries.flattened(config, b, sources_of(config, workload, b, handed))
    target, reference = rt_detr_queries.chosen(config, workload, b, memory)
    with b.scope("decoder"):
        return d_fine.decoded(
            config, workload, b, target, reference, memory, sizes, boxed=boxed, place=placed, through=layer
        )


def stages(config: Deimv2Config, workload: Workload, b: Builder, pixels: Value) -> list[Value]:
    """Returns the backbone's maps, with the encoder's number of channels unless the encoder is light."""
    inner: hgnet_v2.HGNetV2Config = config.backbone_config.config
    with b.scope("model"):
        every = hgnet_v2.stages(inner, workload, b, pixels, frozen=config.freeze_backbone_batch_norms)
    found = [every[place] for place in inner.handed_on(len(inner.depths))]
    check_count(config, found)
    if config.encoder_type == "lite":
        return found
    return [
        conv(workload, b, f"encoder_input_proj.{place}", x, config.encoder_hidden_dim) for place, x in enumerate(found)
    ]


def check_count(config: Deimv2Config, maps: list[Value]) -> None:
    """Raises ConfigError unless there is a map for each of the encoder's channels."""
    if len(maps) != len(config.encoder_in_channels):
        raise ConfigError(
            f"the backbone hands on {len(maps)} maps, encoder_in_channels has {len(config.encoder_in_channels)}"
        )


def detailed(config: Deimv2Config, workload: Workload, b: Builder, pixels: Value) -> list[Value]:
    """Returns maps of a ViT's tokens at three sizes, each with a map of convolutions of the same size."""
    with b.scope("backbone"):
        tokens = maps(config.backbone_config, workload, b, pixels)
    if len(tokens) != DETAILS:
        raise ConfigError(f"backbone_config hands on {len(tokens)} maps: {DETAILS} are joined with details")
    step = config.backbone_config.config.patch_size
    grid = [floor_div(side, one) for side, one in zip(pixels.spec.shape[2:], step, strict=True)]
    large = []
    for place, x in enumerate(tokens):
        factor = (2, 1)[place] if place < 2 else None
        size = [factor * side if factor else floor_div(side, 2) for side in grid]
        large.append(resized(b, f"resized_{place}", x, tuple(size)))
    with b.scope("spatial_tuning_adapter"):
        own = details(config, workload, b, pixels)
    found = []
    for place, (x, y) in enumerate(zip(large, own, strict=True)):
        if any(not equal(one, other) for one, other in zip(x.spec.shape[2:], y.spec.shape[2:], strict=True)):
            raise ConfigError(
                f"the tokens' map has {x.spec.shape[2]}x{x.spec.shape[3]} places, that of details "
                f"{y.spec.shape[2]}x{y.spec.shape[3]}: take patches of 16 and an image of multiples of 32"
            )
        both = b.apply("concat", x, y, name=f"both_{place}", dim=1)
        found.append(conv(workload, b, f"fusion_proj.{place}", both, config.encoder_hidden_dim))
    return found


def details(config: Deimv2Config, workload: Workload, b: Builder, pixels: Value) -> list[Value]:
    """Returns maps of an eighth, a sixteenth and a thirty-second of the image."""
    width = config.spatial_tuning_adapter_inplanes
    options: dict[str, Any] = {"kernel": 3, "stride": 2, "padding": 1}
    x = conv(workload, b, "stem_conv", pixels, width, act="gelu", **options)
    x = b.apply("max_pool", x, name="stem_pool", kernel=3, stride=2, padding=1)
    found = []
    for place, times in enumerate((2, 4, 4)):
        x = conv(workload, b, f"conv{place + 2}", x, times * width, **options)
        found.append(x)
        x = b.apply("gelu", x, name=f"activation_{place}") if place < 2 else x
    return found


def conv(workload: Workload, b: Builder, name: str, x: Value, width: Dim, *, act: str = "", **options: Any) -> Value:
    """Applies a convolution and a norm, and an activation if one is given."""
    return conv_norm(b, name, x, width, training=workload.phase == "train", act=act, parts=hybrid.PARTS, **options)


def sources_of(config: Deimv2Config, workload: Workload, b: Builder, maps: list[Value]) -> list[Value]:
    """Returns the maps that queries read, as they are where they have the decoder's width."""
    every = [*maps, *[maps[-1]] * (config.num_feature_levels - len(maps))]
    if equal(config.d_model, config.decoder_in_channels[-1]):
        return every
    smaller: dict[str, Any] = {"kernel": 3, "stride": 2, "padding": 1}
    name, width = "decoder_input_proj", config.d_model
    return [
        conv(workload, b, f"{name}.{place}", x, width, **(smaller if place >= len(maps) else {}))
        for place, x in enumerate(every)
    ]


def placed(config: Deimv2Config, b: Builder, box: Value) -> Value:
    """Returns the positions of queries, of their boxes."""
    act, width = ACTIVATIONS[config.decoder_activation_function], config.d_model
    return b.apply("clamp", perceptron(b, "query_pos_head", box, width, width, 3, act), name="query_places")


def layer(
    config: Deimv2Config,
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
    y = dropped(b, "self_attn_dropout", y, config.dropout, workload)
    x = rms_norm(b, "self_attn_layer_norm", b.apply("add", x, y, name="self_attn_residual"))
    with b.scope("encoder_attn"):
        query = b.apply("add", x, places, name="placed")
        y = deformable.by_level(b, query, memory, box, sizes, config.decoder_attention_heads, config.points)
    y = dropped(b, "encoder_attn_dropout", y, config.dropout, workload)
    if config.use_gateway:
        with b.scope("gateway"):
            x = rms_norm(b, "norm", d_fine.gated(b, x, y))
    else:
        x = rms_norm(b, "encoder_attn_layer_norm", b.apply("add", x, y, name="encoder_attn_residual"))
    hidden = floor_div(config.decoder_ffn_dim, 2)
    with b.scope("mlp"):
        y = b.apply("silu", linear(b, "gate_proj", x, hidden), name="act_fn")
        y = b.apply("mul", y, linear(b, "up_proj", x, hidden), name="gated")
        y = linear(b, "down_proj", y, config.d_model)
    return rms_norm(b, "final_layer_norm", b.apply("add", x, y, name="mlp_residual"))


ARCHITECTURE = rt_detr.family(
    "deimv2",
    Deimv2Config,
    PresetFiles(__file__),
    "DEIMv2: D-FINE with maps that are added, gated networks, and a light encoder or a ViT's tokens.",
    found,
)
