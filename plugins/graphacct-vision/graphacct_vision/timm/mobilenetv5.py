"""MobileNet-v5 as timm writes it, the tower of Gemma 3n: inverted residuals and attention whose heads share keys and
values of a smaller map (Qin et al., 2024, arXiv:2404.10518; timm's models/mobilenetv5.py).

The names are those of timm's modules. Attention is always fused: timm chooses it, whatever a config.json says.
"""

from __future__ import annotations

from functools import partial

from graphacct_architectures.layers import activation

from graphacct import Builder, ConfigError, Dim, Value, equal, frozen, has_value
from graphacct_vision.convnets.mobilenet import edges
from graphacct_vision.parts.layers import convolution

STEM = 64
OUT = 2048
"""Channels of the joined maps."""
SIDE = 16
"""The side of the joined map."""
ACT = "gelu_tanh"


@frozen
class Edge:
    """A convolution that widens its map by `ratio`, and one that makes `channels` of it."""

    channels: int
    stride: int = 1
    ratio: int = 4


@frozen
class Inverted:
    """Convolutions in depth before and after a map is widened by `ratio`, each of its kernel, 0 for none."""

    channels: int
    start: int = 0
    middle: int = 0
    stride: int = 1
    ratio: int = 4


@frozen
class Attended:
    """Attention of `heads` heads of `width` channels, whose keys and values are of every `stride`-th place."""

    channels: int
    heads: int
    width: int
    stride: int = 1


Block = Edge | Inverted | Attended
STAGES: tuple[tuple[tuple[tuple[Block, ...], int], ...], ...] = (
    (((Edge(128, stride=2),), 1), ((Edge(128),), 2)),
    (((Inverted(256, 3, 5, stride=2, ratio=6),), 1), ((Inverted(256, 5), Inverted(256, 3)), 2)),
    (
        ((Inverted(640, 5, 5, stride=2, ratio=6),), 1),
        ((Inverted(640, 5),), 7),
        ((Inverted(640, ratio=1),), 1),
        ((Attended(640, 12, 64, stride=2), Inverted(640, ratio=2)), 14),
    ),
    (
        ((Inverted(1280, 5, 5, stride=2, ratio=6),), 1),
        ((Attended(1280, 16, 96), Inverted(1280, ratio=2)), 19),
    ),
)
"""The blocks of each stage of `mobilenetv5_300m_enc`: those that alternate, and how often."""


def encoded(b: Builder, x: Value) -> Value:
    """Returns the joined map (images, 2048, 16, 16) of pixels."""
    if not all(has_value(side) for side in x.spec.shape[2:]):
        raise ConfigError("MobileNet-v5 pads its maps by the image's size: image_size is integers")
    with b.scope("conv_stem"):
        x = normed(b, "bn", padded(b, "conv", x, STEM, 3, stride=2, bias=True), act=True)
    maps = []
    for number, stage in enumerate(STAGES):
        place = 0
        for kinds, times in stage:
            bodies = [partial(block, kind) for kind in kinds]
            if times == 1:
                for index, body in enumerate(bodies, place):
                    with b.scope(f"blocks.{number}.{index}"):
                        x = body(b, x)
            else:
                x = b.repeat(f"blocks.{number}", times, bodies, x, start=place)
            place += len(kinds) * times
        maps.append(x)
    with b.scope("msfa"):
        return joined(b, *maps[-2:])


def block(kind: Block, b: Builder, x: Value) -> Value:
    """Adds one block; the builder is in its scope."""
    b.hold(x)
    if isinstance(kind, Edge):
        y = edge(kind, b, x)
    else:
        y = inverted(kind, b, x) if isinstance(kind, Inverted) else attended(kind, b, x)
    kept = equal(x.spec.shape[1], kind.channels) and (isinstance(kind, Attended) or kind.stride == 1)
    return b.apply("add", y, x, name="residual") if kept else y


def edge(kind: Edge, b: Builder, x: Value) -> Value:
    """Adds a convolution of 3 x 3, and one of 1 x 1."""
    y = padded(b, "conv_exp", x, kind.ratio * x.spec.shape[1], 3, stride=kind.stride)
    y = convolution(b, "conv_pwl", normed(b, "bn1", y, act=True), kind.channels)
    return normed(b, "bn2", y)


def inverted(kind: Inverted, b: Builder, x: Value, *, scaled: bool = True) -> Value:
    """Adds convolutions in depth around one that widens, and one that narrows, with a gain of each channel."""

    def unit(name: str, x: Value, channels: Dim, kernel: int = 1, *, act: bool = False, stride: int = 1) -> Value:
        with b.scope(name):
            groups = channels if kernel > 1 else 1
            return normed(b, "bn", padded(b, "conv", x, channels, kernel, stride=stride, groups=groups), act=act)

    channels = x.spec.shape[1]
    wide = kind.ratio * channels
    if kind.start:
        x = unit("dw_start", x, channels, kind.start, stride=1 if kind.middle else kind.stride)
    x = unit("pw_exp", x, wide, act=True)
    if kind.middle:
        x = unit("dw_mid", x, wide, kind.middle, act=True, stride=kind.stride)
    x = unit("pw_proj", x, kind.channels)
    return gained(b, x) if scaled else x


def attended(kind: Attended, b: Builder, x: Value) -> Value:
    """Adds attention over places, with a norm before it and a gain of each channel after it."""
    images, _, height, width = x.spec.shape
    places = height * width
    x = normed(b, "norm", x)
    with b.scope("attn"):
        q = convolution(b, "query.proj", x, kind.heads * kind.width)
        q = b.apply("reshape", q, name="q_heads", shape=(images, kind.heads, kind.width, places))
        q = b.apply("contiguous", b.apply("transpose", q, name="q_places", dims=(-1, -2)), name="q")
        k, v = (shared(kind, b, name, x) for name in ("key", "value"))
        y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa", broadcast=True)
        y = b.apply("transpose", y, name="by_place", dims=(1, 2))
        y = b.apply("reshape", y, name="merge_heads", shape=(images, height, width, kind.heads * kind.width))
        y = b.apply("contiguous", b.apply("permute", y, name="channels_second", dims=(0, 3, 1, 2)), name="merged")
        y = convolution(b, "output.proj", y, kind.channels)
    return gained(b, y)


def shared(kind: Attended, b: Builder, name: str, x: Value) -> Value:
    """Returns the keys or values that all heads share, (images, 1, places, width)."""
    with b.scope(name):
        if kind.stride > 1:
            channels = x.spec.shape[1]
            x = normed(b, "norm", padded(b, "down_conv", x, channels, 3, stride=kind.stride, groups=channels))
        x = convolution(b, "proj", x, kind.width)
    images, width, *sides = x.spec.shape
    x = b.apply("reshape", x, name=f"{name}_places", shape=(images, width, sides[0] * sides[1]))
    x = b.apply("transpose", x, name=f"{name}_places_first", dims=(1, 2))
    x = b.apply("reshape", x, name=f"{name}_head", shape=(images, 1, sides[0] * sides[1], width))
    return b.apply("contiguous", x, name=f"{name}_shared")


def joined(b: Builder, large: Value, small: Value) -> Value:
    """Returns the last two maps, side by side in channels, mixed and brought to 16 x 16."""
    sides = large.spec.shape[2:]
    enlarged = b.apply("upsample_nearest", small, name="enlarged", size=sides)
    x = b.apply("concat", large, enlarged, name="both", dim=1)
    b.hold(large, small, enlarged, x)
    with b.scope("ffn"):
        x = inverted(Inverted(OUT, ratio=2), b, x, scaled=False)
    if sides != (SIDE, SIDE):
        if all(side % SIDE == 0 for side in sides):
            x = b.apply("avg_pool", x, name="pooled", kernel=tuple(side // SIDE for side in sides))
        else:
            x = b.apply("upsample_linear", x, name="resized", size=(SIDE, SIDE))
    return normed(b, "norm", x)


def padded(
    b: Builder, name: str, x: Value, channels: Dim, kernel: int, *, stride: int = 1, groups: Dim = 1, bias: bool = False
) -> Value:
    """Applies a convolution with as many outputs as inputs over the stride: zeros stand around the map, after it one
    more than before where they are odd."""
    padding = kernel // 2 if stride == 1 else 0
    if stride > 1:
        pairs = tuple(edges(side, kernel, stride, 1) for side in x.spec.shape[2:])
        if any(sum(pair) for pair in pairs):
            x = b.apply("pad", x, name=f"{name}_padded", padding=((0, 0), (0, 0), *pairs))
    options = {"stride": stride, "padding": padding, "groups": groups, "bias": bias}
    return convolution(b, name, x, channels, kernel, **options)  # type: ignore[arg-type]


def normed(b: Builder, name: str, x: Value, *, act: bool = False) -> Value:
    """Applies an RMSNorm over channels, written out, and an activation if `act`."""
    channels = x.spec.shape[1]
    with b.scope(name):
        mean = b.apply("mean", b.apply("pow", x, name="square", exponent=2), name="mean", dim=1, keepdim=True)
        b.hold(mean, until="gained")
        y = b.apply("rsqrt", b.apply("shift", mean, name="with_eps"), name="over_rms")
        y = b.apply("mul", x, y, name="normed")
        gain = b.apply("reshape", b.parameter("weight", (channels,)), name="gains", shape=(1, channels, 1, 1))
        y = b.apply("mul", y, gain, name="gained")
        return activation(b, ACT, y, "act") if act else y


def gained(b: Builder, x: Value) -> Value:
    """Returns the map times a gain of each channel."""
    channels = x.spec.shape[1]
    with b.scope("layer_scale"):
        gain = b.apply("reshape", b.parameter("gamma", (channels,)), name="gains", shape=(1, channels, 1, 1))
        return b.apply("mul", x, gain, name="gained")
