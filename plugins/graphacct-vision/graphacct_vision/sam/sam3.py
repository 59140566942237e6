"""SAM 3 on single images: the masks of all things that a text names (Carion et al., 2025, arXiv:2511.16719).

A prompt is one text for each image; what reads a prompt's boxes is in memory and does not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct_architectures.layers import dropped, layer_norm, linear, resident
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.residing import unread

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, SubModel, Value, Workload, fields, frozen
from graphacct_vision.detectors.conditional_detr import unsquashed
from graphacct_vision.parts.layers import convolution, group_norm
from graphacct_vision.sam.sam3_detr import (
    BOX,
    DEEP,
    DecoderKeys,
    EncoderKeys,
    LayerKeys,
    attention,
    decoded,
    encoder_layer,
    head,
    network,
    xyxy,
)
from graphacct_vision.sam.sam3_tracker import InnerVision
from graphacct_vision.sam.sam3_vision import maps_of
from graphacct_vision.sam.sam3_vit import NO_COST

CLASSES = ("Sam3Model",)
GROUPS = 8
"""The groups of the pixel decoder's norms."""


TEXT = "clip_text_model"
LARGE = {
    **{"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16},
    **{"max_position_embeddings": 32, "hidden_act": "gelu"},
}
"""The text encoder's sizes where the file says nothing of it."""


def _projected(content: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**content, "architectures": ["CLIPTextModelWithProjection"]}


@frozen(kw_only=True)
class GeometryKeys(LayerKeys):
    """The keys of what reads boxes."""

    model_type: str = fields.choice("sam3_geometry_encoder", ("sam3_geometry_encoder", ""))
    num_layers: int = fields.size(3)
    roi_size: Dim = fields.size(7)


@frozen(kw_only=True)
class MaskKeys:
    """The mask decoder's keys."""

    model_type: str = fields.choice("sam3_mask_decoder", ("sam3_mask_decoder", ""))
    hidden_size: Dim = fields.size(256)
    num_upsampling_stages: int = fields.size(3)
    dropout: float = fields.probability(0.0)
    num_attention_heads: Dim = fields.size(8)


@frozen(kw_only=True)
class Sam3Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: InnerVision | None = fields.nested(InnerVision, "SAM 3")
    text_config: SubModel = fields.model(TEXT, keys=LARGE, always=True, prepare=_projected)
    geometry_encoder_config: GeometryKeys | None = fields.nested(GeometryKeys, "SAM 3")
    detr_encoder_config: EncoderKeys | None = fields.nested(EncoderKeys, "SAM 3")
    detr_decoder_config: DecoderKeys | None = fields.nested(DecoderKeys, "SAM 3")
    mask_decoder_config: MaskKeys | None = fields.nested(MaskKeys, "SAM 3")
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        parts = (self.geometry, self.encoder, self.decoder, self.masks)
        widths = {self.vision.fpn_hidden_size, *(part.hidden_size for part in parts)}
        if len(widths) != 1:
            raise ConfigError(
                f"fpn_hidden_size and each part's hidden_size are one width, not {sorted(map(str, widths))}"
            )
        if len(self.vision.factors) - 2 > self.masks.num_upsampling_stages:
            raise ConfigError(
                f"num_upsampling_stages is {self.masks.num_upsampling_stages}: the maps of scale_factors but the last "
                f"need {len(self.vision.factors) - 2}"
            )
        if len(self.vision.factors) < 2:
            raise ConfigError("scale_factors has one map: the last is left out, so give at least two")
        for key, part in (("geometry_encoder_config", self.geometry), ("detr_decoder_config", self.decoder)):
            if type(part.num_layers) is not int:
                raise ConfigError(f"{key}.num_layers must be a number: each layer is written out")

    @property
    def vision(self) -> InnerVision:
        """The image encoder."""
        return self.vision_config or InnerVision()

    @property
    def geometry(self) -> GeometryKeys:
        """What reads boxes."""
        return self.geometry_encoder_config or GeometryKeys()

    @property
    def encoder(self) -> EncoderKeys:
        """The detector's encoder."""
        return self.detr_encoder_config or EncoderKeys()

    @property
    def decoder(self) -> DecoderKeys:
        """The detector's decoder."""
        return self.detr_decoder_config or DecoderKeys()

    @property
    def masks(self) -> MaskKeys:
        """The mask decoder."""
        return self.mask_decoder_config or MaskKeys()


def build(config: Sam3Config, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels and a text to the masks, boxes and scores of queries, whether anything is there,
    and one mask of all."""
    width, batch = config.encoder.hidden_size, workload.batch
    with b.scope("vision_encoder"):
        _, maps = maps_of(config.vision, workload, b)
    maps = maps[:-1]  # nothing reads the last
    prompt = named(config, workload, b)
    unread(b, "geometry_encoder", lambda b, x: geometry(config.geometry, workload, b, x), (1, 1, width))
    rows, columns = maps[-1].spec.shape[2:]
    count = rows * columns
    places = b.apply("constant", name="places", shape=(batch, count, width), dtype=b.dtype)
    with b.scope("detr_encoder"):
        x = b.apply("reshape", maps[-1], name="flat", shape=(batch, width, count))
        x = b.apply("contiguous", b.apply("transpose", x, name="by_place", dims=(1, 2)), name="all_levels")
        b.hold(x, prompt, places, *maps)

        def body(b: Builder, x: Value, prompt: Value, places: Value) -> Value:
            return encoder_layer(config.encoder, workload, b, x, prompt, places)

        image = b.repeat("layers", config.encoder.num_layers, body, x, constants=(prompt, places))
    b.hold(image, prompt, places, *maps)
    with b.scope("detr_decoder"):
        states, before, presence = decoded(config.decoder, workload, b, image, prompt, places, (rows, columns))
        with b.turn(config.decoder.num_layers):
            offsets = head(b, "box_head", states, width, BOX, DEEP)
    boxes = b.apply("add", unsquashed(b, before, "references"), offsets, name="all_box_sums")
    boxes = xyxy(b, b.apply("sigmoid", boxes, name="all_boxes"), "all_corners")
    b.hold(states, boxes, presence, image, prompt, *maps)
    with b.scope("dot_product_scoring"):
        scores = compared(config.decoder, workload, b, states, prompt)
    last = config.decoder.num_layers - 1
    found = {"pred_logits": scores, "pred_boxes": boxes, "states": states, "presence_logits": presence}
    found = {name: b.apply("select", x, name=name, dim=0, index=last) for name, x in found.items()}
    with b.scope("mask_decoder"):
        masks, whole = drawn(config.masks, workload, b, found["states"], maps, image, prompt)
    return masks, found["pred_boxes"], found["pred_logits"], found["presence_logits"], whole


def named(config: Sam3Config, workload: Workload, b: Builder) -> Value:
    """Returns the tokens of each text, as wide as the detector (batch, seq, width). The text encoder's own projection
    of the last token runs, and nothing reads it."""
    with b.inside("text_encoder"):
        _, tokens = config.text_config.architecture.build(config.text_config.config, workload, b)
    return linear(b, "text_projection", tokens, config.encoder.hidden_size)


def geometry(config: GeometryKeys, workload: Workload, b: Builder, x: Value) -> Value:
    """Adds the modules that read boxes."""
    width = config.hidden_size
    for name, count in (("label_embed", 2), ("cls_embed", 1)):
        resident(b, name, b.parameter(f"{name}.weight", (count, width)), lookup=True)
    linear(b, "boxes_direct_project", b.input("boxes", (1, 1, BOX)), width)
    area = b.input("area", (1, width, config.roi_size, config.roi_size))
    convolution(b, "boxes_pool_project", area, width, config.roi_size, bias=True)
    linear(b, "boxes_pos_enc_project", b.input("waves", (1, 1, width + 2)), width)
    layer_norm(b, "vision_layer_norm", x)
    x = layer_norm(b, "prompt_layer_norm", linear(b, "final_proj", x, width))
    for index in range(config.num_layers):
        with b.scope(f"layers.{index}"):
            for place, name in enumerate(("self_attn", "cross_attn"), 1):
                x = layer_norm(b, f"layer_norm{place}", x)
                x = attention(workload, b, name, config.num_attention_heads, x, x, x)
            x = network(config, workload, b, layer_norm(b, "layer_norm3", x))
    return layer_norm(b, "output_layer_norm", x)


def compared(config: DecoderKeys, workload: Workload, b: Builder, states: Value, prompt: Value) -> Value:
    """Returns how like the prompt each query's state is, in all layers (layers, batch, queries)."""
    width, batch = config.hidden_size, workload.batch
    y = head(b, "text_mlp", prompt, config.intermediate_size, width, 2)
    y = b.apply("add", dropped(b, "text_mlp_dropout", y, config.dropout, workload), prompt, name="text_residual")
    y = b.apply("mean", layer_norm(b, "text_mlp_out_norm", y), name="pooled", dim=1)
    y = b.apply("reshape", linear(b, "text_proj", y, width), name="text_column", shape=(1, batch, width, 1))
    y = b.apply("matmul", linear(b, "query_proj", states, width), y, name="products")
    y = b.apply("clamp", b.apply("scale", y, name="scaled"), name="clamped")
    found: Value = b.apply("reshape", y, name="scores", shape=states.spec.shape[:3])
    return found


def drawn(
    config: MaskKeys, workload: Workload, b: Builder, states: Value, maps: list[Value], image: Value, prompt: Value
) -> tuple[Value, Value]:
    """Returns a mask of each query (batch, queries, rows, columns), and one of all."""
    batch, width, rows, columns = maps[-1].spec.shape
    y = layer_norm(b, "prompt_cross_attn_norm", image)
    y = attention(workload, b, "prompt_cross_attn", config.num_attention_heads, y, prompt, prompt)
    y = dropped(b, "prompt_cross_attn_dropout", y, config.dropout, workload)
    y = b.apply("add", image, y, name="with_prompt")
    copies = [b.apply("clone", x, name=f"map_{index}") for index, x in enumerate(maps)]
    y = b.apply("transpose", y, name="by_channel", dims=(1, 2))
    y = b.apply("reshape", y, name="image", shape=(batch, width, rows, columns))
    with b.scope("pixel_decoder"):
        for index in range(config.num_upsampling_stages):
            if index >= len(copies) - 1:  # more than there are maps
                shapes = {"conv_layers": (width, width, 3, 3), "norms": (width,)}
                for name, shape in shapes.items():
                    parts = [
                        b.parameter(f"{name}.{index}.{word}", given)
                        for word, given in (("weight", shape), ("bias", (width,)))
                    ]
                    resident(b, f"{name}.{index}", *parts)
                continue
            finer = copies[-2 - index]
            y = b.apply("upsample_nearest", y, name=f"resized_{index}", size=finer.spec.shape[2:])
            y = b.apply("add", y, finer, name=f"sum_{index}")
            y = convolution(b, f"conv_layers.{index}", y, width, 3, padding=1, bias=True)
            y = b.apply("relu", group_norm(b, f"norms.{index}", y, GROUPS), name=f"relu_{index}")
    pixels = convolution(b, "instance_projection", y, width, bias=True)
    x: Any = states
    with b.scope("mask_embedder"):
        for index in range(DEEP):
            x = linear(b, f"layers.{index}", x, width)
            x = x if index + 1 == DEEP else b.apply("relu", x, name=f"activation_{index}")
    masks = b.apply("einsum", x, pixels, name="pred_masks", equation="bqc,bchw->bqhw")
    return masks, convolution(b, "semantic_projection", y, 1, bias=True)


ARCHITECTURE = Architecture(
    "sam3",
    Sam3Config,
    build,
    PresetFiles(__file__),
    sizes={
        "image_size": lambda config: config.vision.vit.image_size,
        "seq_len": lambda config: config.text_config.config.max_position_embeddings,
    },
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={**NO_COST, "hidden_act": None},
    model_types=("sam3",),
    losses=SUM_ALONE,
    doc="SAM 3 on single images: the masks of all things that a text names.",
)
