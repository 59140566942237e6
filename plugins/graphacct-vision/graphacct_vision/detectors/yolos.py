"""YOLOS: ViT with tokens that each find an object (Fang et al., 2021, arXiv:2106.00666)."""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct_architectures.activations import activation
from graphacct_architectures.layers import dropped, layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, layer, patch_count, patches, tower
from graphacct_architectures.vit_layers import older_vit_layers

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    Parameter,
    PresetFiles,
    Value,
    Workload,
    exact_div,
    fields,
    floor_div,
    frozen,
    prod,
)
from graphacct_vision.detectors.queries import boxes, perceptron

CLASSES = ("YolosModel", "YolosForObjectDetection")
HEAD_LAYERS = 3


@frozen(kw_only=True)
class YolosConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    intermediate_size: Dim = fields.size(3072)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    image_size: tuple[Dim, Dim] = fields.sides((512, 864))
    patch_size: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    qkv_bias: bool = fields.flag(True)
    num_detection_tokens: Dim = fields.size(100)
    use_mid_position_embeddings: bool = fields.flag(True)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    @property
    def patch(self) -> tuple[Dim, Dim]:
        """Both sides of a patch."""
        return self.patch_size, self.patch_size


def build(config: YolosConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to the tokens and a pooled one, or to the classes, boxes and states of objects."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        x = encoded(config, workload, b, pixels)
        first = b.apply("select", x, name="first", dim=1)
        return x, b.apply("tanh", linear(b, "pooler.dense", first, config.hidden_size), name="pooler.activation")
    with b.scope("vit"):
        x = encoded(config, workload, b, pixels)
    count = config.num_detection_tokens
    x = b.apply("slice", x, name="objects", dim=1, start=x.spec.shape[1] - count, length=count)
    logits = perceptron(b, "class_labels_classifier", x, config.hidden_size, config.num_labels + 1, HEAD_LAYERS)
    return logits, boxes(b, "bbox_predictor", x, config.hidden_size, HEAD_LAYERS), x


def encoded(config: YolosConfig, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the tokens after all layers, normalized."""
    grid = (floor_div(pixels.spec.shape[2], config.patch_size), floor_div(pixels.spec.shape[3], config.patch_size))
    with b.scope("embeddings"):
        with b.scope("patch_embeddings"):
            x = patches(b, "projection", pixels, config.hidden_size, config.patch, bias=True)
        shape = (workload.batch, 1, config.hidden_size)
        token = b.apply("expand", b.parameter("cls_token", (1, 1, config.hidden_size)), name="cls", shape=shape)
        objects: Any = b.parameter("detection_tokens", (1, config.num_detection_tokens, config.hidden_size))
        objects = b.apply("expand", objects, name="of_batch", shape=(workload.batch, *objects.spec.shape[1:]))
        x = b.apply("concat", token, x, objects, name="tokens", dim=1)
        learned = patch_count(config.image_size, config.patch) + config.num_detection_tokens + 1
        table = b.parameter("position_embeddings", (1, learned, config.hidden_size))
        x = b.apply("add", x, interpolated(config, b, table, grid), name="with_positions")
        x = dropped(b, "dropout", x, config.hidden_dropout_prob, workload)
    b.hold(x)
    kind = older_vit_layers(config)
    with b.scope("encoder"):
        if config.use_mid_position_embeddings:
            x = placed_between(config, kind, workload, b, x, grid)
        else:
            x = tower(kind, workload, b, x)
    return layer_norm(b, "layernorm", x)


def placed_between(
    config: YolosConfig, kind: Tower, workload: Workload, b: Builder, x: Value, grid: tuple[Dim, Dim]
) -> Value:
    """Returns x after all layers, with learned positions of its own added after each but the last."""
    layers, width = config.num_hidden_layers, config.hidden_size
    if type(layers) is not int:
        raise ConfigError(
            "use_mid_position_embeddings adds positions after each layer: num_hidden_layers is an integer"
        )
    body = layer(kind, exact_div(width, kind.heads, "hidden_size / num_attention_heads"), workload, masked=False)
    table: Any = None
    if layers > 1:
        with b.scope("interpolation"):
            sides = prod(config.image_size)
            learned = 1 + floor_div(sides, config.patch_size**2) + config.num_detection_tokens
            table = b.parameter("mid_position_embeddings", (layers - 1, 1, learned, width))
            table = interpolated(config, b, table, grid)
    for index in range(layers):
        with b.scope(f"layer.{index}"):
            x = body(b, x)
        if table is not None and index < layers - 1:
            own = b.apply("select", table, name=f"positions_{index}", dim=0, index=index)
            x = b.apply("add", x, own, name=f"with_positions_{index}")
    return x


def interpolated(config: YolosConfig, b: Builder, table: Parameter, grid: tuple[Dim, Dim]) -> Value:
    """Returns learned positions (…, 1, tokens, width) with those of the patches resized to a grid."""
    *lead, tokens, width = table.spec.shape
    dim, count = len(lead), config.num_detection_tokens
    part = partial(b.apply, "slice", table, dim=dim)
    first = part(name="position_of_cls", start=0, length=1)
    last = part(name="positions_of_objects", start=tokens - count, length=count)
    x = part(name="positions_of_patches", start=1, length=tokens - count - 1)
    sides = tuple(floor_div(side, config.patch_size) for side in config.image_size)
    x = b.apply("transpose", x, name="positions_channels_first", dims=(dim, dim + 1))
    x = b.apply("reshape", x, name="positions_by_place", shape=(prod(lead), width, *sides))
    x = b.apply("upsample_bicubic", x, name="positions_resized", size=grid)
    x = b.apply("reshape", x, name="positions_flat", shape=(prod(lead), width, prod(grid)))
    x = b.apply("transpose", x, name="positions_channels_last", dims=(1, 2))
    if dim > 1:
        x = b.apply("contiguous", x, name="positions_copied")
        x = b.apply("reshape", x, name="positions_of_layers", shape=(*lead, prod(grid), width))
    return b.apply("concat", first, x, last, name="positions", dim=dim)


ARCHITECTURE = Architecture(
    "yolos",
    YolosConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost=dict.fromkeys(
        (
            *("auxiliary_loss", "class_cost", "bbox_cost", "giou_cost", "bbox_loss_coefficient"),
            *("giou_loss_coefficient", "eos_coefficient"),
        )
    ),
    model_types=("yolos",),
    losses=SUM_ALONE,
    doc="YOLOS: ViT with a token for each object, and positions that are resized to any image.",
)
