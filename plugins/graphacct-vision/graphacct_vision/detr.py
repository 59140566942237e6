"""DETR: a ResNet, a transformer over its last map, and queries that each find an object.

Carion et al., 2020 (arXiv:2005.12872).
"""

from __future__ import annotations

from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear, merge_heads, split_heads
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, attended

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    exact_div,
    fields,
)
from graphacct_vision.hf_resnet import HFResNetConfig, stages
from graphacct_vision.layers import convolution

CLASSES = ("DetrModel", "DetrForObjectDetection")
RESNETS = ("ResNetBackbone", "ResNetModel", "ResNetForImageClassification")
IMAGE = 800
"""The image's sides, which the files do not state: the preprocessor's shortest."""
BOX_LAYERS = 3


@attrs.frozen(kw_only=True)
class BackboneConfig(HFResNetConfig):
    """The keys of a library's ResNet inside another model."""

    model_type: str = fields.choice("resnet", ("resnet",))
    architectures: str = fields.model_class(
        "ResNetBackbone", ("ResNetModel", "ResNetBackbone", "ResNetForImageClassification")
    )


@attrs.frozen(kw_only=True)
class DetrConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    backbone_config: BackboneConfig | None = fields.nested(BackboneConfig, "DETR")
    use_timm_backbone: bool | None = fields.optional_flag()
    backbone: Any = attrs.field(default=None)
    num_queries: Dim = fields.size(100)
    encoder_layers: Dim = fields.size(6)
    encoder_ffn_dim: Dim = fields.size(2048)
    encoder_attention_heads: Dim = fields.size(8)
    decoder_layers: Dim = fields.size(6)
    decoder_ffn_dim: Dim = fields.size(2048)
    decoder_attention_heads: Dim = fields.size(8)
    activation_function: str = activation("relu")
    d_model: Dim = fields.size(256)
    dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.0)
    activation_dropout: float = fields.probability(0.0)
    position_embedding_type: str = fields.choice("sine", ("sine", "learned"))
    auxiliary_loss: bool = fields.flag(False)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if self.backbone_config is None and (self.use_timm_backbone or self.backbone):
            name = brief(self.backbone or "resnet50")
            raise ConfigError(
                f"backbone {name} is timm's, which is not modelled: give backbone_config with a ResNet of the library's"
            )

    @property
    def resnet(self) -> BackboneConfig:
        """The backbone; the last stage of a ResNet-50 where the file says nothing of it."""
        return self.backbone_config or BackboneConfig(out_features=("stage4",))


def build(config: DetrConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from pixels to the queries' states and the map's, or to their classes, boxes and states."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.resnet.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return found(config, workload, b, pixels)
    with b.scope("model"):
        x, _ = found(config, workload, b, pixels)
    logits = linear(b, "class_labels_classifier", x, config.num_labels + 1)
    y = x
    with b.scope("bbox_predictor"):
        for index in range(BOX_LAYERS):
            last = index + 1 == BOX_LAYERS
            y = linear(b, f"layers.{index}", y, 4 if last else config.d_model)
            y = y if last else b.apply("relu", y, name=f"activation_{index}")
    return logits, b.apply("sigmoid", y, name="pred_boxes"), x


def found(config: DetrConfig, workload: Workload, b: Builder, pixels: Value) -> tuple[Value, Value]:
    """Returns the states of the queries, normalized, and of the places of the map."""
    backbone = config.resnet
    with b.scope("backbone.model"):
        maps = stages(backbone, workload, b, pixels, frozen=True)
    x = maps[backbone.handed_on(len(backbone.depths))[-1]]
    batch, _, rows, columns = x.spec.shape
    x = convolution(b, "input_projection", x, config.d_model, bias=True)
    x = b.apply("reshape", x, name="flat", shape=(batch, config.d_model, rows * columns))
    x = b.apply("transpose", x, name="tokens", dims=(1, 2))
    places = positions(config, b, batch, (rows, columns))
    b.hold(
        places,
    )
    with b.scope("encoder"):
        x = encoded(config, workload, b, x, places)
    table = b.parameter("query_position_embeddings.weight", (config.num_queries, config.d_model))
    each = b.apply("reshape", table, name="query_row", shape=(1, config.num_queries, config.d_model))
    each = b.apply("repeat", each, name="query_positions", times=(batch, 1, 1))
    queries = b.apply("full", name="queries", shape=(batch, config.num_queries, config.d_model), dtype=b.dtype)
    with b.scope("decoder"):
        return decoded(config, workload, b, queries, each, x, places), x


def positions(config: DetrConfig, b: Builder, batch: Dim, grid: tuple[Dim, Dim]) -> Value:
    """Returns the position of each place of a map, (batch, rows * columns, d_model): waves along rows and columns, or
    learned rows and columns."""
    half = exact_div(config.d_model, 2, "d_model / 2")
    (rows, columns), sides = grid, []
    with b.scope("position_embedding"):
        if config.position_embedding_type == "learned":
            for name, count, shape in (("column", columns, (1, columns, half)), ("row", rows, (rows, 1, half))):
                ids = b.apply("arange", name=f"{name}s", batch=1, n=count)
                table = b.parameter(f"{name}_embeddings.weight", (50, half))
                side = b.apply("embedding", ids, table, name=f"{name}_embeddings")
                side = b.apply("reshape", side, name=f"{name}_shaped", shape=shape)
                times = (rows, 1, 1) if name == "column" else (1, columns, 1)
                sides.append(b.apply("repeat", side, name=f"{name}_repeated", times=times))
            x = b.apply("concat", *sides, name="both", dim=-1)
            x = b.apply("reshape", x, name="map", shape=(1, rows, columns, config.d_model))
            x = b.apply("repeat", x, name="of_batch", times=(batch, 1, 1, 1))
        else:
            seen = b.apply("full", name="mask", shape=(batch, rows, columns), dtype=b.dtype)
            for dim, name in enumerate(("rows", "columns"), 1):
                x = b.apply("cumsum", seen, name=name, dim=dim)
                total = b.apply("slice", x, name=f"{name}_last", dim=dim, start=grid[dim - 1] - 1, length=1)
                total = b.apply("shift", total, name=f"{name}_above_zero")
                x = b.apply("scale", b.apply("div", x, total, name=f"{name}_relative"), name=f"{name}_angle")
                x = b.apply("reshape", x, name=f"{name}_column", shape=(batch, rows, columns, 1))
                rates = b.apply("full", name=f"{name}_rates", shape=(half,), dtype=b.dtype)
                x = b.apply("div", x, rates, name=f"{name}_angles")
                sine, cosine = b.apply("split", x, name=f"{name}_halves", parts=2, dim=-1)
                sine, cosine = b.apply("sin", sine, name=f"{name}_sin"), b.apply("cos", cosine, name=f"{name}_cos")
                sides.append(b.apply("concat", sine, cosine, name=f"{name}_waves", dim=-1))
            x = b.apply("concat", *sides, name="both", dim=-1)
        return b.apply("reshape", x, name="tokens", shape=(batch, rows * columns, config.d_model))


def encoded(config: DetrConfig, workload: Workload, b: Builder, x: Value, places: Value) -> Value:
    """Returns the map's places after the encoder."""
    x = dropped(b, "dropout", x, config.dropout, workload)
    kind = kind_of(config, config.encoder_attention_heads, config.encoder_ffn_dim)

    def body(b: Builder, x: Value, places: Value) -> Value:
        y = attention(kind, workload, b, "self_attn", x, x, places, places)
        x = normed(config, workload, b, "self_attn", y, x)
        return network(kind, config, workload, b, x)

    first = x.spec.strides is not None
    if first:
        with b.scope("layers.0"):
            x = body(b, x, places)
    rest = config.encoder_layers - first
    if type(rest) is int and rest == 0:
        return x
    return b.repeat("layers", rest, body, x, constants=(places,), start=int(first))


def decoded(
    config: DetrConfig, workload: Workload, b: Builder, x: Value, queries: Value, memory: Value, places: Value
) -> Value:
    """Returns the queries' states after the decoder, normalized."""
    kind = kind_of(config, config.decoder_attention_heads, config.decoder_ffn_dim)

    def body(b: Builder, x: Value, queries: Value, memory: Value, places: Value) -> Value:
        y = attention(kind, workload, b, "self_attn", x, x, queries, queries)
        x = normed(config, workload, b, "self_attn", y, x)
        y = attention(kind, workload, b, "encoder_attn", x, memory, queries, places)
        x = normed(config, workload, b, "encoder_attn", y, x)
        return network(kind, config, workload, b, x)

    constants = (queries, memory, places)
    if not config.auxiliary_loss:
        return layer_norm(b, "layernorm", b.repeat("layers", config.decoder_layers, body, x, constants=constants))
    width = x.spec.shape[-1:]
    weights = [b.parameter(f"layernorm.{part}", width) for part in ("weight", "bias")]
    if type(config.decoder_layers) is not int:
        raise ConfigError("auxiliary_loss normalizes after each layer: decoder_layers is an integer")
    for index in range(config.decoder_layers):  # the norm is one module, which runs after every layer
        with b.scope(f"layers.{index}"):
            x = body(b, x, *constants)
        x = b.apply("layer_norm", x, *weights, name=f"layernorm_{index}")
    return b.apply("layer_norm", x, *weights, name="layernorm")


def inexact(config: DetrConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not exact where the file says nothing of the backbone."""
    if config.backbone_config is not None or config.use_timm_backbone is False:
        return ()
    return ("the file names no backbone: its ResNet-50 has the names of the library's class, not those of timm's",)


def kind_of(config: DetrConfig, heads: Dim, hidden: Dim) -> Tower:
    """Returns what a stack's attention and network are."""
    act = ACTIVATIONS[config.activation_function]
    network = Mlp(hidden, act, gated=False, up="fc1", down="fc2", bias=True, dropout=config.activation_dropout)
    return Tower(
        1,
        heads,
        network,
        stack="layers",
        attention="self_attn",
        out="o_proj",
        norms=("self_attn_layer_norm", "final_layer_norm"),
        attention_dropout=config.attention_dropout,
        softmax_upcast=False,
    )


def attention(
    kind: Tower, workload: Workload, b: Builder, name: str, x: Value, memory: Value, at: Value, of: Value
) -> Value:
    """Returns attention of x to memory: their positions are added to queries and keys, not to values. Of whole images
    no place is hidden, and the library adds no mask."""
    width = x.spec.shape[-1]
    d_head = exact_div(width, kind.heads, "d_model / attention heads")
    with b.scope(name):
        query = b.apply("add", x, at, name="q_placed")
        key = query if memory is x else b.apply("add", memory, of, name="k_placed")
        given = {"q": query, "k": key, "v": memory}
        q, k, v = (
            split_heads(b, linear(b, f"{label}_proj", part, width), kind.heads, d_head, label)
            for label, part in given.items()
        )
        b.hold(q, k, v)
        y, _ = attended(kind, workload, b, q, k, v, None)
        return linear(b, "o_proj", merge_heads(b, y), width)


def normed(config: DetrConfig, workload: Workload, b: Builder, name: str, y: Value, x: Value) -> Value:
    """Returns the stream and attention's output, dropped, added up and normalized."""
    y = dropped(b, f"{name}_dropout", y, config.dropout, workload)
    return layer_norm(b, f"{name}_layer_norm", b.apply("add", x, y, name=f"{name}_residual"))


def network(kind: Tower, config: DetrConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x after a network of one hidden layer, added and normalized."""
    m = kind.mlp
    with b.scope("mlp"):
        y = activated(b, m.activation, linear(b, "fc1", x, m.width), "activation")
        y = dropped(b, "activation_dropout", y, m.dropout, workload)
        y = dropped(b, "dropout", linear(b, "fc2", y, x.spec.shape[-1]), config.dropout, workload)
    return layer_norm(b, "final_layer_norm", b.apply("add", x, y, name="mlp_residual"))


ARCHITECTURE = Architecture(
    "detr",
    DetrConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (IMAGE, IMAGE)},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={
        "torch_dtype": "dtype",
        "hidden_size": "d_model",
        "num_attention_heads": "encoder_attention_heads",
        "num_hidden_layers": "encoder_layers",
        **fields.LABELS,
    },
    no_cost=dict.fromkeys(
        (
            *("class_cost", "bbox_cost", "giou_cost", "mask_loss_coefficient", "dice_loss_coefficient", "init_std"),
            *("bbox_loss_coefficient", "giou_loss_coefficient", "eos_coefficient", "init_xavier_std", "dilation"),
            *("use_pretrained_backbone", "backbone_kwargs", "encoder_layerdrop", "decoder_layerdrop", "num_channels"),
            *("is_encoder_decoder", "max_position_embeddings", "scale_embedding", "classifier_dropout"),
        )
    ),
    model_types=("detr",),
    losses=SUM_ALONE,
    inexact=inexact,
    doc="DETR: a ResNet whose parameters are not trained, a transformer over its last map, queries for objects.",
)
