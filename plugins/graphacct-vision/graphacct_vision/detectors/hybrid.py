"""RT-DETR's encoder: attention on the smallest map, then maps joined from small to large and back.

Zhao et al., 2023 (arXiv:2304.08069).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import activation, dropped, layer_norm, linear, merge_heads, split_heads
from graphacct_architectures.tower import Tower, attended

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, exact_div, frozen
from graphacct_vision.detectors.queries import perceptron
from graphacct_vision.parts.layers import conv_norm

BLOCKS = 3
PARTS = ("conv", "norm")
NO_MLP = Mlp(1, "relu")


@frozen
class Joining:
    """How maps of several sizes are joined.

    Attributes:
        block: Returns a joined map; takes the configuration, the workload, the builder and the map.
        lateral: Whether an activation follows the convolution of a map that is then doubled.
        smaller: Returns a map of half the size; takes the same, with the name of its module.
        summed: Whether two maps are added, and not put side by side.
    """

    block: Callable[..., Value]
    smaller: Callable[..., Value]
    lateral: bool = True
    summed: bool = False


def encoded(
    config: Any, workload: Workload, b: Builder, maps: Sequence[Value], kind: Joining | None = None
) -> list[Value]:
    """Returns the maps after the encoder, from the largest to the smallest; the builder is in its scope. `kind` is
    RT-DETR's unless another is given."""
    kind = kind or RT_DETR
    found = list(maps)
    for place, index in enumerate(config.encode_proj_layers):
        if not -len(found) <= index < len(found):
            raise ConfigError(f"encode_proj_layers has {index}: the backbone hands on {len(found)} maps")
        with b.scope(f"aifi.{place}"):
            if config.encoder_layers:
                found[index] = attentive(config, workload, b, found[index])
    act, width = ACTIVATIONS[config.activation_function], config.encoder_hidden_dim
    conv = partial(conv_norm, b, training=workload.phase == "train", parts=PARTS)
    ups = [found[-1]]
    last = len(found) - 1
    for place in range(last):
        ups[-1] = conv(f"lateral_convs.{place}", ups[-1], width, act=act if kind.lateral else "")
        other = found[last - place - 1]
        big = doubled(b, ups[-1], other, f"fpn_{place}_doubled")
        both = together(kind, b, big, other, f"fpn_{place}_both")
        with b.scope(f"fpn_blocks.{place}"):
            ups.append(kind.block(config, workload, b, both))
    ups.reverse()
    downs = [ups[0]]
    for place in range(last):
        small = kind.smaller(config, workload, b, f"downsample_convs.{place}", downs[-1])
        both = together(kind, b, small, ups[place + 1], f"pan_{place}_both")
        with b.scope(f"pan_blocks.{place}"):
            downs.append(kind.block(config, workload, b, both))
    return downs


def doubled(b: Builder, x: Value, other: Value, name: str) -> Value:
    """Returns a map of twice the size. Raises ConfigError if the map that it meets has another size."""
    rows, columns = x.spec.shape[2:]
    if not (equal(other.spec.shape[2], 2 * rows) and equal(other.spec.shape[3], 2 * columns)):
        raise ConfigError(
            f"maps of {other.spec.shape[2]}x{other.spec.shape[3]} and {rows}x{columns} places: each is twice the "
            "next, so take an image whose sides are multiples of 32"
        )
    return b.apply("upsample_nearest", x, name=name, size=(2 * rows, 2 * columns))


def together(kind: Joining, b: Builder, x: Value, other: Value, name: str) -> Value:
    """Returns two maps side by side, or added."""
    return b.apply("add", x, other, name=name) if kind.summed else b.apply("concat", x, other, name=name, dim=1)


def halved(config: Any, workload: Workload, b: Builder, name: str, x: Value) -> Value:
    """Returns a map of half the size, by one convolution."""
    act, width = ACTIVATIONS[config.activation_function], config.encoder_hidden_dim
    options: dict[str, Any] = {"stride": 2, "padding": 1}
    return conv_norm(b, name, x, width, 3, training=workload.phase == "train", act=act, parts=PARTS, **options)


def crossed(config: Any, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns a map of half the channels: one path through three blocks, and one around them."""
    return two_paths(config, workload, b, x, config.encoder_hidden_dim, BLOCKS, config.hidden_expansion)


def two_paths(
    config: Any, workload: Workload, b: Builder, x: Value, width: Dim, blocks: int, expansion: float = 1.0
) -> Value:
    """Returns a map of `width` channels: one path through `blocks`, and one around them."""
    act = ACTIVATIONS[config.activation_function]
    hidden: Any = width if expansion == 1 else int(width * expansion)
    conv = partial(conv_norm, b, training=workload.phase == "train", parts=PARTS)
    y = conv("conv1", x, hidden, act=act)
    y = through(config, workload, b, y, blocks)
    z = conv("conv2", x, hidden, act=act)
    y = b.apply("add", y, z, name="paths")
    return y if equal(hidden, width) else conv("conv3", y, width, act=act)


def through(config: Any, workload: Workload, b: Builder, x: Value, blocks: int) -> Value:
    """Returns a map after blocks of two convolutions beside each other."""
    act, width = ACTIVATIONS[config.activation_function], x.spec.shape[1]
    conv = partial(conv_norm, b, training=workload.phase == "train", act="", parts=PARTS)
    for place in range(blocks):
        with b.scope(f"bottlenecks.{place}"):
            near = conv("conv1", x, width, 3, padding=1)
            own = conv("conv2", x, width)
            x = activation(b, act, b.apply("add", near, own, name="both"), "activation")
    return x


RT_DETR = Joining(crossed, halved)


def attentive(config: Any, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns a map whose places have seen each other."""
    batch, width, rows, columns = x.spec.shape
    x = b.apply("reshape", x, name="flat", shape=(batch, width, rows * columns))
    x = b.apply("transpose", x, name="tokens", dims=(1, 2))
    places = None
    if workload.phase == "train" or config.eval_size is None:
        places = b.apply("constant", name="positions", shape=(1, rows * columns, width), dtype=b.dtype)
    for place in range(config.encoder_layers):
        with b.scope(f"layers.{place}"):
            x = layer(config, workload, b, x, places)
    x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
    x = b.apply("reshape", x, name="places", shape=(batch, width, rows, columns))
    return b.apply("contiguous", x, name="map")


def layer(config: Any, workload: Workload, b: Builder, x: Value, places: Value | None) -> Value:
    """Returns the tokens after a layer, normalized before each part or after it."""
    before = config.normalize_before
    b.hold(x)
    y = layer_norm(b, "self_attn_layer_norm", x) if before else x
    with b.scope("self_attn"):
        y = attention(workload, b, y, places, config.encoder_attention_heads, config.dropout)
    x = b.apply("add", x, dropped(b, "attn_dropout", y, config.dropout, workload), name="attn_residual")
    x = layer_norm(b, "final_layer_norm" if before else "self_attn_layer_norm", x)
    act = ACTIVATIONS[config.encoder_activation_function]
    y = network(config, workload, b, x, config.encoder_ffn_dim, act)
    x = b.apply("add", x, y, name="mlp_residual")
    return x if before else layer_norm(b, "final_layer_norm", x)


def network(config: Any, workload: Workload, b: Builder, x: Value, hidden: Dim, act: str) -> Value:
    """Returns the output of a network of one hidden layer."""
    if config.LAYERED:
        return perceptron(b, "mlp", x, hidden, x.spec.shape[-1], 2, act)
    with b.scope("mlp"):
        y = activation(b, act, linear(b, "fc1", x, hidden), "activation")
        y = dropped(b, "activation_dropout", y, config.activation_dropout, workload)
        return dropped(b, "dropout", linear(b, "fc2", y, x.spec.shape[-1]), config.dropout, workload)


def attention(workload: Workload, b: Builder, x: Value, places: Value | None, heads: Dim, dropout: float) -> Value:
    """Returns attention among tokens, whose positions are added to queries and keys."""
    width = x.spec.shape[-1]
    d_head = exact_div(width, heads, "width / attention heads")
    placed = x if places is None else b.apply("add", x, places, name="placed")
    q, k, v = (
        split_heads(b, linear(b, f"{label}_proj", part, width), heads, d_head, label)
        for label, part in (("q", placed), ("k", placed), ("v", x))
    )
    b.hold(q, k, v)
    kind = Tower(1, heads, NO_MLP, "", "self_attn", "o_proj", ("", ""), attention_dropout=dropout, softmax_upcast=False)
    y, _ = attended(kind, workload, b, q, k, v, None)
    return linear(b, "o_proj", merge_heads(b, y), width)
