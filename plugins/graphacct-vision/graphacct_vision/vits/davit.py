"""DaViT: blocks that attend to places in windows, then blocks that attend to channels, with convolutions before each.

Ding et al., 2022 (arXiv:2204.03645).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import drop_path, layer_norm, linear

from graphacct import Builder, ConfigError, Dim, Value, Workload, brief, exact_div, fields, frozen, prod
from graphacct_vision.parts.layers import convolution
from graphacct_vision.parts.windows import into_windows, out_of_windows, ratio, times


def flags(default: tuple[bool, ...]) -> Any:
    """Returns a key of one switch for each stage."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[bool, ...]:
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, bool) for item in value):
            raise ConfigError(f"{field.name} is a list of true and false, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, default)


@frozen(kw_only=True)
class DavitConfig:
    """The tower's keys that the cost depends on."""

    in_channels: Dim = fields.size(3)
    depths: tuple[Dim, ...] = fields.counts((1, 1, 9, 1))
    patch_size: tuple[Dim, ...] = fields.counts((7, 3, 3, 3))
    patch_stride: tuple[Dim, ...] = fields.counts((4, 2, 2, 2))
    patch_padding: tuple[int, ...] = fields.checked_field(lambda value, field: tuple(value), (3, 1, 1, 1))
    patch_prenorm: tuple[bool, ...] = flags((False, True, True, True))
    embed_dim: tuple[Dim, ...] = fields.counts((128, 256, 512, 1024))
    num_heads: tuple[Dim, ...] = fields.counts((4, 8, 16, 32))
    num_groups: tuple[Dim, ...] = fields.counts((4, 8, 16, 32))
    window_size: Dim = fields.size(12)
    drop_path_rate: float = fields.probability(0.1)
    mlp_ratio: float = ratio(4.0)
    qkv_bias: bool = fields.flag(True)
    activation_function: str = activation("gelu")
    projection_dim: Dim = fields.size(1024)
    max_temporal_embeddings: Dim = fields.size(100)
    max_position_embeddings: Dim = fields.size(50)

    def __attrs_post_init__(self) -> None:
        lists = ("depths", "patch_size", "patch_stride", "patch_padding", "patch_prenorm", "num_heads", "num_groups")
        for name in lists:
            if len(getattr(self, name)) != len(self.embed_dim):
                raise ConfigError(
                    f"{name} has {len(getattr(self, name))} stages, and embed_dim {len(self.embed_dim)}: they have to "
                    "agree"
                )


def mapped(c: DavitConfig, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the last map of images; the builder is in the tower's scope."""
    x, place = pixels, 0
    depths = [int(depth) for depth in c.depths]  # the key's check says that they are numbers
    whole = 2 * sum(depths)
    for stage, depth in enumerate(depths):
        with b.scope(f"convs.{stage}"):
            x = stem(c, stage, b, x)
        chances = [c.drop_path_rate * (place + step) / max(1, whole - 1) for step in range(2 * depth)]
        for index in range(depth):
            with b.scope(f"blocks.{stage}.{index}"):
                for kind, chance in zip(("spatial", "channel"), chances[2 * index : 2 * index + 2], strict=True):
                    with b.scope(f"{kind}_block"):
                        x = block(c, stage, kind, chance, workload, b, x)
        place += 2 * depth
    return x


def stem(c: DavitConfig, stage: int, b: Builder, x: Value) -> Value:
    """Returns a smaller map, normalized before or after its convolution."""
    before = c.patch_prenorm[stage]
    x = normed(b, x) if before else x
    width, kernel = c.embed_dim[stage], c.patch_size[stage]
    padding, stride = c.patch_padding[stage], c.patch_stride[stage]
    x = convolution(b, "conv", x, width, kernel, stride=stride, padding=padding, bias=True)
    return x if before else normed(b, x)


def normed(b: Builder, x: Value) -> Value:
    """Returns the map with the channels of each place normalized."""
    x = b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1))
    found: Value = b.apply("permute", layer_norm(b, "norm", x), name="channels_first", dims=(0, 3, 1, 2))
    return found


def block(c: DavitConfig, stage: int, kind: str, chance: float, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the map after attention and a network, each after a convolution of each channel."""
    width = c.embed_dim[stage]
    batch, _, *grid = x.spec.shape
    rows, columns = grid

    def attended(y: Value) -> Value:
        if kind == "channel":
            with b.scope("channel_attn"):
                return by_channels(c, stage, workload, b, y)
        with b.scope("window_attn"):
            return by_windows(c, stage, workload, b, y, (rows, columns))

    def network(y: Value) -> Value:
        with b.scope("ffn"):
            y = linear(b, "fc1", y, times(width, c.mlp_ratio))
            return linear(b, "fc2", activated(b, ACTIVATIONS[c.activation_function], y, "activation_fn"), width)

    parts: tuple[Callable[[Value], Value], ...] = (attended, network)
    for number, part in enumerate(parts, 1):
        y = convolution(b, f"conv{number}", x, width, 3, padding=1, groups=width, bias=True)
        x = b.apply("add", y, x, name=f"conv{number}_residual")
        x = b.apply("reshape", x, name=f"flat_{number}", shape=(batch, width, prod(grid)))
        x = b.apply("transpose", x, name=f"tokens_{number}", dims=(1, 2))
        y = part(layer_norm(b, f"norm{number}", x))
        y = drop_path(b, f"drop_path{number}", y, chance, workload)
        x = b.apply("add", x, y, name=f"residual_{number}")
        x = b.apply("transpose", x, name=f"channels_{number}", dims=(1, 2))
        x = b.apply("reshape", x, name=f"map_{number}", shape=(batch, width, *grid))
    return x


def by_channels(c: DavitConfig, stage: int, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x (batch, tokens, width) after attention of channels in groups, over all tokens."""
    batch, tokens, width = x.spec.shape
    groups = c.num_groups[stage]
    part = exact_div(width, groups, "embed_dim / num_groups")
    x = b.apply(
        "reshape", linear(b, "qkv", x, 3 * width, bias=c.qkv_bias), name="parts", shape=(batch, tokens, 3, groups, part)
    )
    x = b.apply("permute", x, name="channels_of_parts", dims=(2, 0, 3, 4, 1))
    y = attended(workload, b, x)
    y = b.apply("permute", y, name="tokens_first", dims=(0, 3, 1, 2))
    y = b.apply("reshape", y, name="joined", shape=(batch, tokens, width))
    return linear(b, "proj", y, width)


def by_windows(c: DavitConfig, stage: int, workload: Workload, b: Builder, x: Value, grid: tuple[Dim, Dim]) -> Value:
    """Returns x (batch, tokens, width) after attention of tokens in windows."""
    batch, _, width = x.spec.shape
    heads = c.num_heads[stage]
    d_head = exact_div(width, heads, "embed_dim / num_heads")
    x = into_windows(b, x, grid, c.window_size, 0)
    count, tokens, _ = x.spec.shape
    x = b.apply(
        "reshape",
        linear(b, "qkv", x, 3 * width, bias=c.qkv_bias),
        name="parts",
        shape=(count, tokens, 3, heads, d_head),
    )
    x = b.apply("permute", x, name="heads_of_parts", dims=(2, 0, 3, 1, 4))
    y = attended(workload, b, x)
    y = b.apply("transpose", y, name="tokens_first", dims=(1, 2))
    y = b.apply("reshape", y, name="joined", shape=(count, tokens, width))
    return out_of_windows(b, linear(b, "proj", y, width), batch, grid, c.window_size, 0)


def attended(workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the values that queries read; x is (3, batch, heads, rows, width)."""
    q, k, v = (b.apply("select", x, name=label, dim=0, index=place) for place, label in enumerate("qkv"))
    b.hold(q, k, v)
    if workload.attention == "fused":
        found: Value = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa")
        return found
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
    weights = b.apply("softmax", b.apply("scale", scores, name="scale"), name="softmax")
    found = b.apply("matmul", weights, v, name="values")
    return found
