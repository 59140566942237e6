"""Encoders of sound that cut a spectrum into chunks: convolutions see one chunk, attention one window of some chunks.

Xu et al., 2025 (arXiv:2503.20215, arXiv:2509.17765).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphacct import Builder, ConfigError, Dim, Value, Workload, exact_div, frozen, has_value
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.layers import layer_norm, linear

FULL_CHUNK = 13
"""The positions that the classes with convolutions over the plane reckon for a whole chunk, whatever its frames."""


@frozen
class Chunked:
    """An encoder.

    Attributes:
        width: The width of the stream.
        layers: How many layers there are.
        heads: Attention heads.
        inner: The feed-forward network's width.
        activation: Its activation, by the library's name.
        bins: Channels of a frame.
        chunk: Frames of a chunk.
        places: Positions of a chunk that there are constants for.
        plane: Channels of three convolutions over time and bins; None for two over time.
        window: Chunks that see each other.
        key_bias: Whether the projection of keys has a bias.
        padded: Whether a sound is padded to whole chunks even if it is shorter than one.
    """

    width: Dim
    layers: Dim
    heads: Dim
    inner: Dim
    activation: str
    bins: Dim
    chunk: Dim
    places: Dim
    plane: Dim | None = None
    window: Dim = 1
    key_bias: bool = True
    padded: bool = False


@frozen
class Cut:
    """How a sound is cut, all in numbers.

    Attributes:
        chunks: Its chunks, the last one with `tail` frames unless that is 0.
        length: Frames that every chunk is padded to.
        tail: Frames of a last chunk that is shorter.
        rows: Positions that are no padding.
        groups: How many windows there are of how many positions.
    """

    chunks: int
    length: int
    tail: int
    rows: int
    groups: tuple[tuple[int, int], ...]


def cut(c: Chunked, frames: Dim | None) -> Cut:
    """Returns how a sound is cut. Raises ConfigError for symbols, and for sizes with which the class does not run."""
    sizes = (frames, c.chunk, c.window, c.places)
    if not all(has_value(size) for size in sizes):
        raise ConfigError("a sound is cut into chunks: frames and the encoder's windows are integers")
    count, chunk, window, places = (int(size) for size in sizes if has_value(size))
    if window < 1:
        raise ConfigError(f"n_window_infer is less than a chunk of {chunk} frames, 2 · n_window: no window has a chunk")
    whole, tail = divmod(count, chunk)
    length = chunk if whole or c.padded else tail
    if c.plane is None:
        each, last = halved(chunk), halved(tail) if tail else 0
        made, widest = halved(length), halved(length)
        groups = ((whole, each), (1, last))
        rows = whole * each + last
    else:
        last = halved(halved(halved(tail))) if tail else 0
        made = halved(halved(halved(length)))
        widest = FULL_CHUNK if whole else last
        rows = whole * FULL_CHUNK + last
        span = widest * window
        groups = ((rows // span, span), (1, rows % span))
    chunks = whole + (1 if tail else 0)
    if made > places:
        raise ConfigError(f"a chunk of {length} frames has {made} positions, and there are constants for {places}")
    if (c.padded and whole and made != FULL_CHUNK) or (widest > made and chunks > 1):
        raise ConfigError(
            f"n_window makes chunks of {chunk} frames and {made} positions, and the class reckons with {FULL_CHUNK}: "
            "it does not run"
        )
    return Cut(chunks, length, tail, rows, tuple(pair for pair in groups if 0 not in pair))


def halved(count: int) -> int:
    """Returns how many positions a convolution of three taps with a stride of two makes."""
    return (count - 1) // 2 + 1


def chunked(c: Chunked, workload: Workload, b: Builder) -> Value:
    """Returns all positions that are no padding, (rows, width), after all layers; the builder is in their scope."""
    way = cut(c, workload.frames)
    sounds = workload.batch
    x = b.input("input_features", (sounds, c.bins, workload.frames))
    x = b.apply("pad", x, name="padded", padding=((0, way.chunks * way.length - (workload.frames or 0)),))
    x = b.apply("reshape", x, name="chunks", shape=(sounds, c.bins, way.chunks, way.length))
    x = b.apply("permute", x, name="chunks_first", dims=(0, 2, 1, 3))
    count = sounds * way.chunks
    if c.plane is None:
        x = b.apply("reshape", x, name="chunks_of_all", shape=(count, c.bins, way.length))
        x = over_time(c, b, x)
    else:
        x = b.apply("reshape", x, name="planes_of_all", shape=(count, 1, c.bins, way.length))
        x = over_plane(c, c.plane, b, x)
    positions = x.spec.shape[1]
    table = b.apply("constant", name="positional_embedding", shape=(1, positions, c.width), dtype=b.dtype)
    x = b.apply("add", x, table, name="with_positions")
    x = b.apply("reshape", x, name="rows_of_all", shape=(count * positions, c.width))
    kept = b.apply("constant", name="valid_indices", shape=(sounds * way.rows,), dtype="int64")
    x = b.apply("index_select", x, kept, name="valid_rows")
    groups = tuple((sounds * windows, length) for windows, length in way.groups)
    x = b.repeat("layers", c.layers, body(c, workload, groups), x)
    return x


def over_time(c: Chunked, b: Builder, x: Value) -> Value:
    """Returns chunks (chunks, bins, frames) as positions (chunks, positions, width): two convolutions. Between them the
    padding is made zeros."""
    for name, stride in (("conv1", 1), ("conv2", 2)):
        weight = b.parameter(f"{name}.weight", (c.width, x.spec.shape[1], 3))
        bias = b.parameter(f"{name}.bias", (c.width,))
        x = b.apply("convolution", x, weight, bias, name=name, stride=stride, padding=1)
        x = b.apply("gelu", x, name=f"{name}_act")
        if stride == 1:
            shape = (x.spec.shape[0], 1, x.spec.shape[2])
            mask = b.apply("constant", name="padded_mask", shape=shape, dtype="int64")
            x = b.apply("mul", x, mask, name="unpadded")
    return b.apply("transpose", x, name="positions_first", dims=(1, 2))


def over_plane(c: Chunked, channels: Dim, b: Builder, x: Value) -> Value:
    """Returns chunks (chunks, 1, bins, frames) as positions (chunks, positions, width): three convolutions and a
    projection."""
    for index in range(1, 4):
        name = f"conv2d{index}"
        weight = b.parameter(f"{name}.weight", (channels, x.spec.shape[1], 3, 3))
        bias = b.parameter(f"{name}.bias", (channels,))
        x = b.apply("convolution", x, weight, bias, name=name, stride=2, padding=1)
        x = b.apply("gelu", x, name=f"{name}_act")
    count, _, bins, positions = x.spec.shape
    x = b.apply("permute", x, name="positions_first", dims=(0, 3, 1, 2))
    x = b.apply("contiguous", x, name="positions_copied")
    x = b.apply("reshape", x, name="flat", shape=(count, positions, channels * bins))
    return linear(b, "conv_out", x, c.width, bias=False)


def body(c: Chunked, workload: Workload, groups: Sequence[tuple[Dim, Dim]]) -> Callable[..., Value]:
    """Returns the body of one layer over rows (rows, width), in `groups` of so many windows of so many rows."""
    act = ACTIVATIONS[c.activation]
    network = Mlp(c.inner, act, gated=False, module="", up="fc1", down="fc2", bias=True)

    def layer(b: Builder, x: Value) -> Value:
        y = layer_norm(b, "self_attn_layer_norm", x)
        with b.scope("self_attn"):
            y = attention(c, workload, groups, b, y)
        x = b.apply("add", x, y, name="attn_residual")
        y = mlp(network, b, layer_norm(b, "final_layer_norm", x))
        return b.apply("add", x, y, name="mlp_residual")

    return layer


def attention(c: Chunked, workload: Workload, groups: Sequence[tuple[Dim, Dim]], b: Builder, x: Value) -> Value:
    """Adds attention within windows; the builder is in its scope."""
    count = x.spec.shape[0]
    d_head = exact_div(c.width, c.heads, "d_model / encoder_attention_heads")
    parts = []
    for label in "qkv":
        part = linear(b, f"{label}_proj", x, c.width, bias=label != "k" or c.key_bias)
        part = b.apply("reshape", part, name=f"{label}_heads", shape=(count, c.heads, d_head))
        parts.append(b.apply("transpose", part, name=f"{label}_heads_first", dims=(0, 1)))
    b.hold(*parts)
    found: list[Value] = []
    start: Dim = 0
    for index, (windows, length) in enumerate(groups):
        mark = f"_{index}" if index else ""
        own = []
        for part, label in zip(parts, "qkv", strict=True):
            if len(groups) > 1:
                part = b.apply("slice", part, name=f"{label}_slice{mark}", dim=1, start=start, length=windows * length)
            part = b.apply("reshape", part, name=f"{label}_windows{mark}", shape=(c.heads, windows, length, d_head))
            own.append(b.apply("transpose", part, name=f"{label}_by_window{mark}", dims=(0, 1)))
        y = attended(workload, b, own, mark)
        y = b.apply("transpose", y, name=f"heads_last{mark}", dims=(1, 2))
        found.append(b.apply("reshape", y, name=f"merge_heads{mark}", shape=(windows * length, c.width)))
        start = start + windows * length
    y = found[0] if len(found) == 1 else b.apply("concat", *found, name="all_windows", dim=0)
    return linear(b, "out_proj", y, c.width)


def attended(workload: Workload, b: Builder, parts: Sequence[Value], mark: str) -> Value:
    """Returns the values that queries read, all of shape (windows, heads, length, d_head)."""
    q, k, v = parts
    y: Value
    if workload.attention == "fused":
        y = b.apply("scaled_dot_product_attention", q, k, v, name=f"sdpa{mark}", causal=False)
        return y
    keys = b.apply("transpose", k, name=f"k_last{mark}", dims=(-2, -1))
    scores = b.apply("scale", b.apply("matmul", q, keys, name=f"scores{mark}"), name=f"scale{mark}")
    y = b.apply("matmul", b.apply("softmax", scores, name=f"softmax{mark}"), v, name=f"values{mark}")
    return y
