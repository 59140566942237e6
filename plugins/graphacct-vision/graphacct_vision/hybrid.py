"""RT-DETR's encoder: attention on the smallest map, then maps joined from small to large and back.

Zhao et al., 2023 (arXiv:2304.08069).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import activation, dropped, layer_norm, linear, merge_heads, split_heads
from graphacct_architectures.tower import Tower, attended

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, exact_div
from graphacct_vision.layers import conv_norm

BLOCKS = 3
PARTS = ("conv", "norm")
NO_MLP = Mlp(1, "relu")


def encoded(config: Any, workload: Workload, b: Builder, maps: Sequence[Value]) -> list[Value]:
    """Returns the maps after the encoder, from the largest to the smallest; the builder is in its scope."""
    found = list(maps)
    for place, index in enumerate(config.encode_proj_layers):
        if not -len(found) <= index < len(found):
            raise ConfigError(f"encode_proj_layers has {index}: the backbone hands on {len(found)} maps")
        with b.scope(f"aifi.{place}"):
            if config.encoder_layers:
                found[index] = attentive(config, workload, b, found[index])
    act, width = ACTIVATIONS[config.activation_function], config.encoder_hidden_dim
    conv = partial(conv_norm, b, training=workload.phase == "train", act=act, parts=PARTS)
    ups = [found[-1]]
    last = len(found) - 1
    for place in range(last):
        ups[-1] = conv(f"lateral_convs.{place}", ups[-1], width)
        rows, columns = ups[-1].spec.shape[2:]
        other = found[last - place - 1]
        if not (equal(other.spec.shape[2], 2 * rows) and equal(other.spec.shape[3], 2 * columns)):
            raise ConfigError(
                f"maps of {other.spec.shape[2]}x{other.spec.shape[3]} and {rows}x{columns} places: each is twice the "
                "next, so take an image whose sides are multiples of 32"
            )
        big = b.apply("upsample_nearest", ups[-1], name=f"fpn_{place}_doubled", size=(2 * rows, 2 * columns))
        both = b.apply("concat", big, other, name=f"fpn_{place}_both", dim=1)
        with b.scope(f"fpn_blocks.{place}"):
            ups.append(crossed(config, workload, b, both))
    ups.reverse()
    downs = [ups[0]]
    for place in range(last):
        small = conv(f"downsample_convs.{place}", downs[-1], width, 3, stride=2, padding=1)
        both = b.apply("concat", small, ups[place + 1], name=f"pan_{place}_both", dim=1)
        with b.scope(f"pan_blocks.{place}"):
            downs.append(crossed(config, workload, b, both))
    return downs


def crossed(config: Any, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns a map of half the channels: one path through three blocks, and one around them."""
    act, width = ACTIVATIONS[config.activation_function], config.encoder_hidden_dim
    hidden = int(width * config.hidden_expansion)
    conv = partial(conv_norm, b, training=workload.phase == "train", parts=PARTS)
    y = conv("conv1", x, hidden, act=act)
    for place in range(BLOCKS):
        with b.scope(f"bottlenecks.{place}"):
            near = conv("conv1", y, hidden, 3, padding=1, act="")
            own = conv("conv2", y, hidden, act="")
            y = activation(b, act, b.apply("add", near, own, name="both"), "activation")
    z = conv("conv2", x, hidden, act=act)
    y = b.apply("add", y, z, name="paths")
    return y if equal(hidden, width) else conv("conv3", y, width, act=act)


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
