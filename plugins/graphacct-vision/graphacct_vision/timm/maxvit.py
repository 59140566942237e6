"""MaxViT of timm's by their names: convolutions, then attention in windows, then over a grid (Tu et al., 2022,
arXiv:2204.01697; timm's models/maxxvit.py)."""

from __future__ import annotations

from functools import partial

import attrs
from graphacct_architectures.layers import dropped, layer_norm, linear, merge_heads, scaled
from graphacct_architectures.tower import check_image

from graphacct import Builder, Dim, Value, Workload, equal, frozen
from graphacct_vision.parts.inverted import divisible
from graphacct_vision.parts.layers import convolution
from graphacct_vision.parts.stages import repeated
from graphacct_vision.timm.convolutions import Style, convolved, normed, squeezed
from graphacct_vision.timm.swin import by_pair
from graphacct_vision.timm.tables import plain, settings
from graphacct_vision.timm.transformer import Layers, network, projected, read

RATIO, HEAD, PARTS, HIDDEN, DROP = 4, 32, 32, 512, 0.125
"""A widened map's and a network's channels in given ones; the width of a head; how many windows an image's side has
places for; the width of the network from a distance to a number for each head, and its dropout in training."""


@frozen(kw_only=True)
class TimmMaxViT:
    """A MaxViT of timm's.

    Attributes:
        widths: Channels of each stage.
        depths: Blocks of each stage.
        stem: Channels of the first two convolutions.
        tf: Whether it is as in TensorFlow: padded by the image's size, with biases of outer convolutions, widened
            from the channels that it gives.
        squeeze: The share of channels inside squeeze and excitation.
        positions: Where the number of a pair of places is from: a `table`, one that products read (`tf`) or a `mlp`.
        scaled: Whether the branches of attention have a learned scale.
        hidden: Channels of a layer before the head's, 0 for none.
        image: The side of an image, or both.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    stem: tuple[int, int] = (32, 64)
    tf: bool = False
    squeeze: float = 1 / 16
    positions: str = "table"
    scaled: bool = False
    hidden: int = 0
    image: int | tuple[int, int] = 224

    @property
    def learned_pool(self) -> bool:
        """Whether what pools the last map has weights."""
        return bool(self.hidden)

    @property
    def window(self) -> int:
        """The side of a window, and of a grid."""
        side = self.image if isinstance(self.image, int) else self.image[0]
        return side // PARTS

    def layers(self, width: int) -> Layers:
        """Returns what attention and the network of a stage are."""
        act = "gelu_tanh" if self.tf else "gelu"
        return Layers(layers=1, heads=width // HEAD, hidden=RATIO * width, act=act)


def named(name: str) -> TimmMaxViT | None:
    """Returns the MaxViT of a name, which may have the tag of its weights; None if it is of no such name."""
    found = settings("maxvit").get(plain(name))
    return None if found is None else TimmMaxViT(**found)


def build(kind: TimmMaxViT, workload: Workload, b: Builder, pixels: Value, labels: Dim) -> tuple[Value, Value]:
    """Returns the last map, and the logits of its mean."""
    image = pixels.spec.shape[2:]
    own = kind.image if isinstance(kind.image, tuple) else (kind.image, kind.image)
    check_image((image[0], image[1]), own, "architecture's image")
    style = Style("gelu_tanh" if kind.tf else "silu", workload.phase == "train", kind.tf)
    with b.scope("stem"):
        x = convolved(style, b, "conv1", pixels, kind.stem[0], (3,), stride=2, bias=kind.tf)
        x = convolved(style, b, "conv2", normed(style, b, "norm1", x), kind.stem[1], (3,), bias=kind.tf)
    for stage, (width, depth) in enumerate(zip(kind.widths, kind.depths, strict=True)):
        first, other = (partial(block, kind, style, workload, width, stride) for stride in (2, 1))
        with b.scope(f"stages.{stage}"):
            x = repeated("blocks", depth, first, other, b, x)
    x = x if kind.hidden else across(b, "norm", x)
    with b.scope("head"):
        y = b.apply("mean", x, name="global_pool", dim=(2, 3), keepdim=True)
        y = across(b, "norm", y) if kind.hidden else y
        y = b.apply("reshape", y, name="flatten", shape=(workload.batch, kind.widths[-1]))
        if kind.hidden:
            y = b.apply("tanh", linear(b, "pre_logits.fc", y, kind.hidden), name="pre_logits.act")
        return x, y if equal(labels, 0) else linear(b, "fc", y, labels)


def across(b: Builder, name: str, x: Value) -> Value:
    """Applies a norm over the channels of a map (batch, channels, height, width)."""
    y = b.apply("permute", x, name=f"{name}_channels_last", dims=(0, 2, 3, 1))
    found: Value = b.apply("permute", layer_norm(b, name, y), name=f"{name}_channels_first", dims=(0, 3, 1, 2))
    return found


def block(kind: TimmMaxViT, style: Style, workload: Workload, width: int, stride: int, b: Builder, x: Value) -> Value:
    """Adds an inverted residual, then attention in windows and over a grid."""
    with b.scope("conv"):
        x = inverted(kind, style, width, stride, b, x)
    x = b.apply("permute", x, name="channels_last", dims=(0, 2, 3, 1))
    for name, grid in (("attn_block", False), ("attn_grid", True)):
        with b.scope(name):
            x = attended(kind, workload, b, x, grid=grid)
    found: Value = b.apply("permute", x, name="channels_first", dims=(0, 3, 1, 2))
    return found


def inverted(kind: TimmMaxViT, style: Style, width: int, stride: int, b: Builder, x: Value) -> Value:
    """Adds a convolution that widens, one of each channel and one that narrows."""
    taken = x.spec.shape[1]
    assert type(taken) is int  # the tables' sizes are numbers
    base = width if kind.tf else taken
    wide = divisible(base * RATIO)
    b.hold(x)
    shortcut = x
    if stride == 2:
        with b.scope("shortcut"):
            shortcut = b.apply("avg_pool", x, name="pool", kernel=2, stride=2)
            if taken != width:
                shortcut = convolution(b, "expand", shortcut, width, bias=kind.tf)
    y = normed(style, b, "pre_norm", x, act=False)
    y = normed(style, b, "norm1", convolved(attrs.evolve(style, same=False), b, "conv1_1x1", y, wide))
    y = normed(style, b, "norm2", convolved(style, b, "conv2_kxk", y, wide, (3,), stride=stride, groups=wide))
    narrow = int(kind.squeeze * (width if kind.tf else wide))
    y = squeezed(b, "se", y, narrow, act="silu", parts=("fc1", "fc2"), inner_act="act")
    y = convolution(b, "conv3_1x1", y, width, bias=kind.tf)
    found: Value = b.apply("add", y, shortcut, name="residual")
    return found


def attended(kind: TimmMaxViT, workload: Workload, b: Builder, x: Value, *, grid: bool) -> Value:
    """Adds attention among the places of a window, or among those of a `grid` over the whole map, and a network."""
    width = x.spec.shape[-1]
    assert type(width) is int
    parts = kind.layers(width)
    b.hold(x)
    y = apart(b, layer_norm(b, "norm1", x), kind.window, grid=grid)
    with b.scope("attn"):
        b.hold(y)
        q, k, v = projected(parts, b, y)
        b.hold(q, k, v)
        with b.scope("rel_pos"):
            numbers = positions(kind, workload, parts.heads, b)
        y = linear(b, "proj", merge_heads(b, read(workload, b, q, k, v, mask=numbers)), width)
    y = together(b, y, x.spec.shape, kind.window, grid=grid)
    x = b.apply("add", x, scaled(b, "ls1.gamma", y) if kind.scaled else y, name="attn_residual")
    y = layer_norm(b, "norm2", x)
    with b.scope("mlp"):
        y = network(parts, b, y)
    found: Value = b.apply("add", x, scaled(b, "ls2.gamma", y) if kind.scaled else y, name="mlp_residual")
    return found


def apart(b: Builder, x: Value, window: int, *, grid: bool) -> Value:
    """Returns a map (batch, height, width, channels) as windows (batch * windows, window², channels), or as places that
    are a window's number apart."""
    batch, height, across_, channels = x.spec.shape
    rows, columns = height // window, across_ // window
    shape = (
        (batch, window, rows, window, columns, channels) if grid else (batch, rows, window, columns, window, channels)
    )
    x = b.apply("reshape", x, name="by_window", shape=shape)
    x = b.apply("permute", x, name="windows_first", dims=(0, 2, 4, 1, 3, 5) if grid else (0, 1, 3, 2, 4, 5))
    x = b.apply("contiguous", x, name="windows")
    found: Value = b.apply("reshape", x, name="tokens", shape=(batch * rows * columns, window**2, channels))
    return found


def together(b: Builder, x: Value, shape: tuple[Dim, ...], window: int, *, grid: bool) -> Value:
    """Returns windows put back in their places."""
    batch, height, across_, channels = shape
    x = b.apply(
        "reshape", x, name="windows_back", shape=(batch, height // window, across_ // window, window, window, channels)
    )
    x = b.apply("permute", x, name="places_back", dims=(0, 3, 1, 4, 2, 5) if grid else (0, 1, 3, 2, 4, 5))
    x = b.apply("contiguous", x, name="rows_together")
    found: Value = b.apply("reshape", x, name="map_back", shape=shape)
    return found


def positions(kind: TimmMaxViT, workload: Workload, heads: int, b: Builder) -> Value:
    """Returns a number for each pair of places in a window, (1, heads, window², window²), or without the 1."""
    window = kind.window
    span = 2 * window - 1
    found: Value
    if kind.positions == "table":
        return by_pair(b, b.parameter("relative_position_bias_table", (span**2, heads)), heads, window)
    if kind.positions == "mlp":
        table = b.apply("constant", name="rel_coords_log", shape=(span, span, 2), dtype=b.dtype)
        with b.scope("mlp"):
            y = b.apply("relu", linear(b, "fc1", table, HIDDEN), name="act")
            y = linear(b, "fc2", dropped(b, "drop1", y, DROP, workload), heads)
        return by_pair(b, b.apply("reshape", y, name="table", shape=(span**2, heads)), heads, window)
    rows = b.apply("constant", name="height_lookup", shape=(window, window, span), dtype=b.dtype)
    columns = b.apply("constant", name="width_lookup", shape=(window, window, span), dtype=b.dtype)
    table = b.parameter("relative_position_bias_table", (heads, span, span))
    y = b.apply("einsum", table, rows, name="of_rows", equation="nhw,ixh->nixw")
    y = b.apply("einsum", y, columns, name="of_columns", equation="nixw,jyw->nijxy")
    found = b.apply("reshape", y, name="bias", shape=(heads, window**2, window**2))
    return found
