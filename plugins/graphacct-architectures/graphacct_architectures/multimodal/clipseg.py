"""CLIPSeg: what a text names in an image, from CLIP's towers (Lüddecke and Ecker, 2021, arXiv:2112.10003)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    equal,
    exact_div,
    fields,
    floor_div,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.losses import SUM, total
from graphacct_architectures.multimodal.clip import (
    SIZES,
    TwoTowers,
    VisionConfig,
    described,
    first_total,
    normalised,
    similarities,
    texts,
)
from graphacct_architectures.tower import Tower, attention, patch_count, patches, tower_states

BOTH, SEGMENTATION = "CLIPSegModel", "CLIPSegForImageSegmentation"
KERNELS = 4


def _layers(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(type(place) is int for place in value):
        raise ConfigError(f"{field.name} is a list of layers' indices, not {brief(value)}")
    return tuple(value)


@frozen(kw_only=True)
class CLIPSegConfig(TwoTowers):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(BOTH, (BOTH, SEGMENTATION))
    extract_layers: tuple[int, ...] = fields.checked_field(_layers, (3, 6, 9))
    reduce_dim: Dim = fields.size(64)
    decoder_num_attention_heads: Dim = fields.size(4)
    decoder_intermediate_size: Dim = fields.size(2048)
    conditional_layer: int = fields.size(0, minimum=0)
    use_complex_transposed_convolution: bool = fields.flag(False)

    def __attrs_post_init__(self) -> None:
        layers = self.vision.num_hidden_layers
        if has_value(layers) and any(not -layers - 1 <= place + 1 <= layers for place in self.extract_layers):
            raise ConfigError(f"extract_layers are indices of {layers} layers, not {list(self.extract_layers)}")


def build(config: CLIPSegConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images and texts to the similarities of each pair, by image and by text, and the two
    embeddings; or to a logit of each pixel for its image's text."""
    if config.architectures == BOTH:
        _, image = pictured(config, workload, b, ())
        text = told(config, workload, b)
        image, text = normalised(b, image, "image"), normalised(b, text, "text")
        return similarities(b, image, text)
    with b.scope("clip"):
        states, _ = pictured(config, workload, b, config.extract_layers)
        text = told(config, workload, b)
        b.apply("resident", b.parameter("logit_scale", ()), name="logit_scale_unread")
    states = [b.apply("detach", state, name=f"state_{place}") for place, state in enumerate(states)]
    text = b.apply("detach", text, name="condition")
    with b.scope("decoder"):
        return (decoded(config, workload, b, states, text),)


def told(config: CLIPSegConfig, workload: Workload, b: Builder) -> Value:
    """Returns the projection of each text."""
    with b.scope("text_model"):
        _, text = texts(config.text, workload, b)
    return linear(b, "text_projection", text, config.projection_dim, bias=False)


def pictured(
    config: CLIPSegConfig, workload: Workload, b: Builder, wanted: tuple[int, ...]
) -> tuple[list[Value], Value]:
    """Returns the tokens of each image after the `wanted` layers, and the projection of its class token."""
    vision = config.vision
    layers = vision.num_hidden_layers
    with b.scope("vision_model"):
        x = embedded(vision, workload, b)
        x = layer_norm(b, "pre_layrnorm", x)
        counts = [place + 1 if place >= -1 else place + 2 + layers for place in wanted]
        with b.scope("encoder"):
            states = tower_states(described(vision), workload, b, x, [count for count in counts if has_value(count)])
        first = b.apply("select", states[layers], name="first", dim=1)
        first = layer_norm(b, "post_layernorm", first)
    return [states[count] for count in counts], linear(b, "visual_projection", first, config.projection_dim, bias=False)


def embedded(config: VisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the class token and the patches of images of any size, whose positions are made larger or smaller if
    they are not the learned ones."""
    assert workload.image_size is not None  # the architecture declares its default
    width, batch = config.hidden_size, workload.batch
    pixels = b.input("pixel_values", (batch, config.num_channels, *workload.image_size))
    with b.scope("embeddings"):
        x = patches(b, "patch_embedding", pixels, width, config.patch_size, bias=False)
        token = b.apply("expand", b.parameter("class_embedding", (width,)), name="cls", shape=(batch, 1, width))
        x = b.apply("concat", token, x, name="with_cls", dim=1)
        learned = patch_count(config.image_size, config.patch_size)
        table = b.parameter("position_embedding.weight", (learned + 1, width))
        if equal(x.spec.shape[1], learned + 1):
            ids = b.apply("constant", name="position_ids", shape=(1, learned + 1), dtype="int64")
            places = b.apply("embedding", ids, table, name="position_embedding")
        else:
            grid, old = (
                tuple(floor_div(side, step) for side, step in zip(sides, config.patch_size, strict=True))
                for sides in (workload.image_size, config.image_size)
            )
            row = b.apply("reshape", table, name="position_rows", shape=(1, learned + 1, width))
            first = b.apply("slice", row, name="class_position", dim=1, start=0, length=1)
            rest = b.apply("slice", row, name="patch_positions", dim=1, start=1, length=learned)
            rest = b.apply("reshape", rest, name="position_grid", shape=(1, *old, width))
            rest = b.apply("permute", rest, name="position_map", dims=(0, 3, 1, 2))
            rest = b.apply("upsample_bicubic", rest, name="positions_resized", size=grid)
            rest = b.apply("permute", rest, name="positions_last", dims=(0, 2, 3, 1))
            rest = b.apply("reshape", rest, name="positions_flat", shape=(1, grid[0] * grid[1], width))
            places = b.apply("concat", first, rest, name="positions", dim=1)
        return b.apply("add", x, places, name="embed")


def decoded(config: CLIPSegConfig, workload: Workload, b: Builder, states: Sequence[Value], text: Value) -> Value:
    """Returns a logit of each pixel, from the tokens of layers from the last to the first; a layer's are scaled and
    shifted by the text."""
    width, batch = config.reduce_dim, workload.batch
    kind = Tower(
        1,
        config.decoder_num_attention_heads,
        Mlp(config.decoder_intermediate_size, ACTIVATIONS["relu"], gated=False, up="fc1", down="fc2", bias=True),
        stack="layers",
        attention="self_attn",
        out="out_proj",
        norms=("layer_norm1", "layer_norm2"),
        attention_dropout=config.vision.attention_dropout,
    )
    d_head = exact_div(width, kind.heads, "reduce_dim / decoder_num_attention_heads")
    x: Value | None = None
    for index, state in enumerate(reversed(states)):
        y = linear(b, f"reduces.{index}", state, width)
        x = y if x is None else b.apply("add", y, x, name=f"joined_{index}")
        if index == config.conditional_layer:
            rows = b.apply("permute", x, name="tokens_first", dims=(1, 0, 2))
            rows = b.apply("mul", linear(b, "film_mul", text, width), rows, name="film_scaled")
            rows = b.apply("add", rows, linear(b, "film_add", text, width), name="film_shifted")
            x = b.apply("permute", rows, name="conditioned", dims=(1, 0, 2))
        with b.scope(f"layers.{index}"):
            with b.scope("self_attn"):
                y, _ = attention(kind, d_head, workload, b, x, None)
            x = layer_norm(b, "layer_norm1", b.apply("add", x, y, name="attn_residual"))
            with b.scope("mlp"):
                y = mlp(kind.mlp, b, x)
            x = layer_norm(b, "layer_norm2", b.apply("add", x, y, name="mlp_residual"))
    if config.conditional_layer >= len(states):
        for name in ("film_mul", "film_add"):
            for part, shape in (("weight", (width, config.projection_dim)), ("bias", (width,))):
                b.apply("resident", b.parameter(f"{name}.{part}", shape), name=f"{name}.{part}_unread")
    assert x is not None
    assert workload.image_size is not None
    rows, columns = (floor_div(a, c) for a, c in zip(workload.image_size, config.vision.patch_size, strict=True))
    if not equal(rows, columns):
        raise ConfigError(f"an image has {rows} x {columns} patches: {SEGMENTATION} takes squares")
    count = x.spec.shape[1] - 1
    x = b.apply("slice", x, name="patches", dim=1, start=1, length=count)
    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    x = b.apply("reshape", x, name="map", shape=(batch, width, rows, columns))
    x = larger(config, b, x)
    return b.apply("reshape", x, name="logits", shape=(batch, *x.spec.shape[2:]))


def larger(config: CLIPSegConfig, b: Builder, x: Value) -> Value:
    """Returns a map of pixels, (batch, 1, rows, columns), by one transposed convolution or by two after another."""
    name, width, side = "transposed_convolution", config.reduce_dim, config.vision.patch_size[0]
    if not config.use_complex_transposed_convolution:
        return transposed(b, name, x, 1, side)
    weight = b.parameter(f"{name}.0.weight", (width, width, 3, 3))
    x = b.apply("convolution", x, weight, b.parameter(f"{name}.0.bias", (width,)), name=f"{name}.0", padding=1)
    step = floor_div(side, KERNELS)
    x = transposed(b, f"{name}.2", b.apply("relu", x, name=f"{name}.1"), floor_div(width, 2), step)
    return transposed(b, f"{name}.4", b.apply("relu", x, name=f"{name}.3"), 1, step)


def transposed(b: Builder, name: str, x: Value, channels: Dim, side: Dim) -> Value:
    """Applies torch.nn.ConvTranspose2d, whose stride is its kernel."""
    weight = b.parameter(f"{name}.weight", (x.spec.shape[1], channels, side, side))
    bias = b.parameter(f"{name}.bias", (channels,))
    return b.apply("convolution_transposed", x, weight, bias, name=name, stride=side)


def summed(config: CLIPSegConfig, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the sum of the outputs that a loss uses: the logits of each image, or of each pixel."""
    return first_total(config, outputs, b) if config.architectures == BOTH else total(config, outputs, b)


ARCHITECTURE = Architecture(
    "clipseg",
    CLIPSegConfig,
    build,
    PresetFiles(__file__),
    sizes=SIZES,
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("decoder_hidden_act", "decoder_attention_dropout", "num_labels", "id2label", "label2id")),
    model_types=("clipseg",),
    losses={SUM: summed},
    doc="CLIPSeg: CLIP's towers, and a small decoder that finds what a text names in an image.",
)
