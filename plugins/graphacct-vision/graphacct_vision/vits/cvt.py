"""CvT: attention whose queries, keys and values come from convolutions (Wu et al., 2021, arXiv:2103.15808)."""

from __future__ import annotations

from typing import Any

import attrs
from graphacct_architectures.layers import drop_path, dropped, layer_norm, linear
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    exact_div,
    fields,
    frozen,
)
from graphacct_vision.parts.backbones import ALIASES
from graphacct_vision.parts.layers import batch_norm, convolution
from graphacct_vision.parts.lists import check_stages, flags, naturals, numbers, words
from graphacct_vision.parts.windows import times

CLASSES = ("CvtModel", "CvtForImageClassification")
IMAGE = 224
"""The image's sides, which the files do not state: the preprocessor's."""


@frozen(kw_only=True)
class CvtConfig:
    """The keys of the published config.json that the cost depends on, each with a value for every stage."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    num_channels: Dim = fields.size(3)
    patch_sizes: tuple[int, ...] = fields.counts((7, 3, 3))
    patch_stride: tuple[int, ...] = fields.counts((4, 2, 2))
    patch_padding: tuple[int, ...] = naturals((2, 1, 1))
    embed_dim: tuple[Dim, ...] = fields.counts((64, 192, 384))
    num_heads: tuple[Dim, ...] = fields.counts((1, 3, 6))
    depth: tuple[int, ...] = fields.counts((1, 2, 10))
    mlp_ratio: tuple[float, ...] = numbers((4.0, 4.0, 4.0))
    attention_drop_rate: tuple[float, ...] = numbers((0.0, 0.0, 0.0))
    drop_rate: tuple[float, ...] = numbers((0.0, 0.0, 0.0))
    drop_path_rate: tuple[float, ...] = numbers((0.0, 0.0, 0.1))
    qkv_bias: tuple[bool, ...] = flags((True, True, True))
    cls_token: tuple[bool, ...] = flags((False, False, True))
    qkv_projection_method: tuple[str, ...] = words(("dw_bn", "dw_bn", "dw_bn"), ("dw_bn",))
    kernel_qkv: tuple[int, ...] = fields.counts((3, 3, 3))
    padding_kv: tuple[int, ...] = naturals((1, 1, 1))
    stride_kv: tuple[int, ...] = fields.counts((2, 2, 2))
    padding_q: tuple[int, ...] = naturals((1, 1, 1))
    stride_q: tuple[int, ...] = fields.counts((1, 1, 1))
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        own = ("architectures", "num_channels", "num_labels", "dtype", "depth")
        lists = {field.name: getattr(self, field.name) for field in attrs.fields(CvtConfig) if field.name not in own}
        check_stages(len(self.depth), **lists)
        if self.architectures == CLASSES[1] and not self.cls_token[-1]:
            raise ConfigError(f"cls_token ends in false: the library's {CLASSES[1]} cannot run without a class token")
        for stage, (first, last) in enumerate(zip(self.cls_token, self.embed_dim, strict=True)):
            if first and not equal(last, self.embed_dim[-1]):
                raise ConfigError(
                    f"cls_token is true in stage {stage} of {last} channels: it has the last stage's, "
                    f"{self.embed_dim[-1]}"
                )

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes."""
        return self.architectures == CLASSES[1] and classes(self.num_labels)


def build(config: CvtConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, or to the last stage's map and its class token if it has one."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        return stages(config, workload, b, pixels)[:1]
    with b.scope("cvt"):
        _, first = stages(config, workload, b, pixels)
    x = b.apply("mean", layer_norm(b, "layernorm", first), name="mean", dim=1)
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def flat(b: Builder, x: Value, name: str) -> Value:
    """Returns a map as tokens (batch, places, channels), a view."""
    batch, channels, rows, columns = x.spec.shape
    x = b.apply("reshape", x, name=f"{name}_flat", shape=(batch, channels, rows * columns))
    return b.apply("transpose", x, name=name, dims=(1, 2))


def as_map(b: Builder, x: Value, grid: tuple[Dim, Dim], name: str) -> Value:
    """Returns tokens as a map (batch, channels, rows, columns)."""
    batch, _, channels = x.spec.shape
    x = b.apply("transpose", x, name=f"{name}_channels", dims=(1, 2))
    return b.apply("reshape", x, name=name, shape=(batch, channels, *grid))


def stages(config: CvtConfig, workload: Workload, b: Builder, x: Value) -> tuple[Value, ...]:
    """Returns the last stage's map, and its class token if it has one."""
    first: tuple[Value, ...] = ()
    for stage, width in enumerate(config.embed_dim):
        with b.scope(f"encoder.stages.{stage}"):
            x, first = staged(config, workload, b, x, stage, width)
    return x, *first


def staged(
    config: CvtConfig, workload: Workload, b: Builder, x: Value, stage: int, width: Dim
) -> tuple[Value, tuple[Value, ...]]:
    """Returns a stage's map, and its class token if it has one."""
    with b.scope("embedding.convolution_embeddings"):
        step = {"stride": config.patch_stride[stage], "padding": config.patch_padding[stage]}
        x = convolution(b, "projection", x, width, config.patch_sizes[stage], bias=True, **step)
        batch, _, *grid = x.spec.shape
        x = layer_norm(b, "normalization", flat(b, x, "places"))
    x = dropped(b, "embedding.dropout", x, config.drop_rate[stage], workload)
    if config.cls_token[stage]:
        token = b.apply("expand", b.parameter("cls_token", (1, 1, width)), name="cls", shape=(batch, 1, width))
        x = b.apply("concat", token, x, name="with_cls", dim=1)
    depth = config.depth[stage]
    # the rate grows over a stage's layers, and every layer has the one at the stage's own place
    chance = config.drop_path_rate[stage] * stage / (depth - 1) if depth > 1 else 0.0
    if stage >= depth:
        raise ConfigError(
            f"depth {depth} of stage {stage} is too small: the library's class reads a rate of layer {stage}"
        )
    side = (grid[0], grid[1])

    def body(b: Builder, x: Value) -> Value:
        return layer(config, workload, b, x, stage, side, chance)

    x = b.repeat("layers", depth, body, x)
    if not config.cls_token[stage]:
        return as_map(b, x, side, "map"), ()
    first, x = b.apply("split", x, name="parts", sizes=(1, side[0] * side[1]), dim=1)
    return as_map(b, x, side, "map"), (first,)


def layer(
    config: CvtConfig, workload: Workload, b: Builder, x: Value, stage: int, grid: tuple[Dim, Dim], chance: float
) -> Value:
    """Returns the tokens after a layer."""
    width = x.spec.shape[-1]
    y = layer_norm(b, "layernorm_before", x)
    with b.scope("attention"):
        with b.scope("attention"):
            y = attention(config, workload, b, y, stage, grid)
        y = dropped(b, "output.dropout", linear(b, "output.dense", y, width), config.drop_rate[stage], workload)
    x = b.apply("add", drop_path(b, "drop_path", y, chance, workload), x, name="attn_residual")
    y = linear(b, "intermediate.dense", layer_norm(b, "layernorm_after", x), times(width, config.mlp_ratio[stage]))
    y = linear(b, "output.dense", b.apply("gelu", y, name="activation"), width)
    y = b.apply("add", dropped(b, "output.dropout", y, config.drop_rate[stage], workload), x, name="mlp_residual")
    return drop_path(b, "drop_path_after", y, chance, workload)


def attention(config: CvtConfig, workload: Workload, b: Builder, x: Value, stage: int, grid: tuple[Dim, Dim]) -> Value:
    """Returns attention among tokens. A convolution of each channel makes the places that a projection reads."""
    batch, _, width = x.spec.shape
    heads = config.num_heads[stage]
    d_head = exact_div(width, heads, "embed_dim / num_heads")
    first = None
    if config.cls_token[stage]:
        first, x = b.apply("split", x, name="cls_and_places", sizes=(1, grid[0] * grid[1]), dim=1)
    x = as_map(b, x, grid, "map")
    found = {}
    for word, stride, padding in (
        ("key", config.stride_kv[stage], config.padding_kv[stage]),
        ("query", config.stride_q[stage], config.padding_q[stage]),
        ("value", config.stride_kv[stage], config.padding_kv[stage]),
    ):
        with b.scope(f"convolution_projection_{word}.convolution_projection"):
            options: dict[str, Any] = {"stride": stride, "padding": padding, "groups": width}
            y = convolution(b, "convolution", x, width, config.kernel_qkv[stage], **options)
            y = batch_norm(b, "normalization", y, training=workload.phase == "train")
        y = flat(b, y, f"{word}_places")
        found[word] = y if first is None else b.apply("concat", first, y, name=f"{word}_with_cls", dim=1)
    for word, y in found.items():
        count = y.spec.shape[1]
        y = linear(b, f"projection_{word}", y, width, bias=config.qkv_bias[stage])
        y = b.apply("reshape", y, name=f"{word}_heads", shape=(batch, count, heads, d_head))
        found[word] = b.apply("transpose", y, name=word, dims=(1, 2))
    keys = b.apply("transpose", found["key"], name="key_last", dims=(-2, -1))
    scores = b.apply("scale", b.apply("matmul", found["query"], keys, name="scores"), name="scale")
    weights = dropped(
        b, "dropout", b.apply("softmax", scores, name="softmax"), config.attention_drop_rate[stage], workload
    )
    y = b.apply("matmul", weights, found["value"], name="values")
    y = b.apply("contiguous", b.apply("transpose", y, name="tokens_first", dims=(1, 2)), name="together")
    return b.apply("reshape", y, name="read", shape=(batch, y.spec.shape[1], width))


ARCHITECTURE = Architecture(
    "cvt",
    CvtConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (IMAGE, IMAGE)},
    dtype="float32",
    aliases=ALIASES,
    model_types=("cvt",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="CvT: attention whose queries, keys and values come from convolutions of each channel.",
)
