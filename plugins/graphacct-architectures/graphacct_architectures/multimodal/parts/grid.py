"""A tower that reads a grid of patches of any size, as Qwen's models do: rows and columns rotate queries and keys, an
image sees itself alone or windows of itself, and squares of patches become one token.

Wang et al., 2024 (arXiv:2409.12191); Bai et al., 2025 (arXiv:2502.13923, arXiv:2511.21631).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, Value, Workload, exact_div
from graphacct_architectures.decoders.parts.attention import normed_by
from graphacct_architectures.decoders.parts.description import Mlp, Norm
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.stack import stack
from graphacct_architectures.layers import embedding, linear


@attrs.frozen
class Merger:
    """What makes one token of a square of patches: a norm, and a network of one hidden layer.

    Attributes:
        norm: The norm's name.
        up, down: The names of the two linear layers.
        norm_last: Whether it normalizes the square, not each patch.
    """

    norm: str
    up: str
    down: str
    norm_last: bool = False


@attrs.frozen
class Grid:
    """The tower.

    Attributes:
        depth: Its layers.
        width: The width of the stream.
        heads: Heads of attention.
        channels: Of a pixel.
        patch: Frames, rows and columns of a patch.
        merge: The side of the squares of patches that become one token.
        out: The width of these tokens.
        mlp: The feed-forward network.
        norm: The norms' kind.
        merger: What makes the tokens.
        patch_bias: Whether the patches' projection has a bias.
        positions: Rows of a table of learned positions, of which each patch reads four; None for none.
        window: The side of the windows in pixels; None if each layer sees the whole image.
        whole: The layers that see it although others have windows.
        deep: The layers after which tokens are made besides, for the first layers of the text.
    """

    depth: Dim
    width: Dim
    heads: Dim
    channels: Dim
    patch: tuple[Dim, Dim, Dim]
    merge: Dim
    out: Dim
    mlp: Mlp
    norm: Norm
    merger: Merger
    patch_bias: bool = False
    positions: Dim | None = None
    window: Dim | None = None
    whole: tuple[int, ...] = ()
    deep: tuple[int, ...] = ()


def grid_rows(g: Grid, workload: Workload, b: Builder, images: Dim) -> tuple[Value, ...]:
    """Adds the tower, whose scope the builder is in. Returns the tokens of `images` images, (tokens, width), and those
    made after the deep layers."""
    rows, columns = sides(g, workload.image_size)
    count, each = images * rows * columns, rows * columns
    frames, height, width = g.patch
    elements = g.channels * frames * height * width
    x = b.input("pixel_values", (count, elements))
    with b.scope("patch_embed"):
        x = b.apply("reshape", x, name="patches", shape=(count, g.channels, *g.patch))
        weight = b.parameter("proj.weight", (g.width, g.channels, *g.patch))
        rest = (b.parameter("proj.bias", (g.width,)),) if g.patch_bias else ()
        x = b.apply("convolution", x, weight, *rest, name="proj", stride=g.patch)
        x = b.apply("reshape", x, name="flat", shape=(count, g.width))
    if g.positions is not None:
        ids = b.apply("constant", name="corners", shape=(4, count), dtype="int64")
        near = b.apply("constant", name="weights", shape=(4, count, 1), dtype=b.dtype)
        read = b.apply("mul", embedding(b, "pos_embed", ids, g.positions, g.width), near, name="weighted")
        x = b.apply("add", x, b.apply("sum", read, name="interpolated", dim=0), name="with_positions")
    constants = tables(g, b, count)
    groups = {True: ((images, each),), False: windows(g, images, rows, columns)}
    layer = partial(body, g, workload, groups)
    kinds = [g.window is None or index in g.whole for index in range(layers(g))]
    deep: list[Value] = []
    start = 0
    for end in (*(index + 1 for index in g.deep), len(kinds)):
        if end > start:
            x = stack(b, "blocks", kinds[start:end], layer, x, constants, start)
        if end <= len(kinds) and len(deep) < len(g.deep):
            with b.scope(f"deepstack_merger_list.{len(deep)}"):
                deep.append(merged(g, attrs.evolve(g.merger, norm_last=True), b, x))
        start = end
    with b.scope("merger"):
        return merged(g, g.merger, b, x), *deep


def layers(g: Grid) -> int:
    """Returns how many layers there are. Raises ConfigError unless it is a number, and for a deep layer beyond it."""
    if type(g.depth) is not int or g.depth > 10_000:
        raise ConfigError(f"vision_config.depth is {g.depth}: layers may differ, so give a number up to 10,000")
    wrong = [index for index in g.deep if not 0 <= index < g.depth]
    if wrong or list(g.deep) != sorted(set(g.deep)):
        raise ConfigError(
            f"vision_config.deepstack_visual_indexes is {list(g.deep)}: they are layers in order, of {g.depth}"
        )
    return g.depth


def sides(g: Grid, size: tuple[Dim, Dim] | None) -> tuple[Dim, Dim]:
    """Returns the rows and columns of patches. Raises ConfigError unless they are whole squares."""
    assert size is not None  # the architecture declares its default
    units = tuple(step * g.merge for step in g.patch[1:])
    for side, unit in zip(size, units, strict=True):
        if type(side) is int and type(unit) is int and side % unit:
            raise ConfigError(
                f"image_size {size[0]}x{size[1]} is that after resizing: multiples of {units[0]} and {units[1]}, "
                f"{g.merge} patches of {g.patch[1]} pixels"
            )
    return tuple(  # type: ignore[return-value]
        exact_div(side, step, "image_size / patch_size") for side, step in zip(size, g.patch[1:], strict=True)
    )


def windows(g: Grid, images: Dim, rows: Dim, columns: Dim) -> tuple[tuple[Dim, Dim], ...]:
    """Returns how many windows there are of how many patches; those at the edges have fewer.

    A window has as many squares of patches on a side as fit into its pixels.
    """
    if g.window is None:
        return ()
    if not all(type(dim) is int for dim in (g.window, g.merge, g.patch[1], rows, columns)):
        raise ConfigError("windows cut an image into parts, so give numbers for image_size and the tower's sizes")
    unit: Any = g.window // g.merge // g.patch[1]
    if unit < 1:
        raise ConfigError(f"vision_config.window_size {g.window} is less than {g.merge} patches of {g.patch[1]} pixels")
    high: Any = rows // g.merge
    wide: Any = columns // g.merge
    found: dict[int, Dim] = {}
    for tall, count_tall in ((unit, high // unit), (high % unit, 1)):
        for broad, count_broad in ((unit, wide // unit), (wide % unit, 1)):
            length: Any = tall * broad * g.merge**2
            if length and count_tall * count_broad:
                found[length] = found.get(length, 0) + count_tall * count_broad * images
    return tuple((count, length) for length, count in found.items())


def tables(g: Grid, b: Builder, count: Dim) -> tuple[Value, Value]:
    """Returns cosine and sine of each patch's angles, (patches, width of a head): a half by its row, a half by its
    column."""
    d_head = exact_div(g.width, g.heads, "hidden_size / num_heads")
    with b.scope("rotary_pos_emb"):
        places = b.apply("constant", name="positions", shape=(count, 2, 1), dtype="float32")
        rates = b.apply("constant", name="inv_freq", shape=(exact_div(d_head, 4, "d_head / 4"),), dtype="float32")
        freqs = b.apply("mul", places, rates, name="freqs")
        both = []
        for function in ("cos", "sin"):
            half = b.apply(
                "reshape", b.apply(function, freqs, name=function), name=f"{function}_half", shape=(count, d_head // 2)
            )
            both.append(b.apply("concat", half, half, name=f"{function}_table", dim=-1))
    b.hold(*both)
    return both[0], both[1]


def body(
    g: Grid, workload: Workload, groups: dict[bool, tuple[tuple[Dim, Dim], ...]], whole: bool
) -> Callable[..., Value]:
    """Returns the body of a layer that sees whole images or windows."""

    def run(b: Builder, x: Value, cos: Value, sin: Value) -> Value:
        y = normed_by(b, "norm1", x, g.norm)
        with b.scope("attn"):
            y = attention(g, workload, b, y, (cos, sin), groups[whole])
        x = b.apply("add", x, y, name="attn_residual")
        y = normed_by(b, "norm2", x, g.norm)
        with b.scope(g.mlp.module):
            y = mlp(g.mlp, b, y)
        return b.apply("add", x, y, name="mlp_residual")

    return run


def attention(
    g: Grid, workload: Workload, b: Builder, x: Value, turns: tuple[Value, Value], groups: Sequence[tuple[Dim, Dim]]
) -> Value:
    """Returns attention over x (patches, width), in `groups` of so many sequences of so many patches."""
    count = x.spec.shape[0]
    d_head = exact_div(g.width, g.heads, "hidden_size / num_heads")
    flat = linear(b, "qkv", x, 3 * g.width)
    flat = b.apply("reshape", flat, name="heads", shape=(count, 3, g.heads, d_head))
    parts = b.apply("unbind", b.apply("permute", flat, name="parts_first", dims=(1, 0, 2, 3)), name="parts", dim=0)
    turned = []
    for part, label in zip(parts, "qkv", strict=True):
        part = b.apply("transpose", part, name=f"{label}_heads_first", dims=(0, 1))
        if label != "v":
            wide = b.dtype != "float32"
            part = b.apply("cast", part, name=f"{label}_wide", dtype="float32") if wide else part
            part = b.apply("rotary_embedding", part, *turns, name=f"{label}_rope", composed=True)
            part = b.apply("cast", part, name=f"{label}_narrowed", dtype=b.dtype) if wide else part
        turned.append(part)
    found: list[Value] = []
    start: Dim = 0
    for index, (sequences, length) in enumerate(groups):
        mark = f"_{index}" if index else ""
        own = []
        for part, label in zip(turned, "qkv", strict=True):
            if len(groups) > 1:
                part = b.apply(
                    "slice", part, name=f"{label}_slice{mark}", dim=1, start=start, length=sequences * length
                )
            shape = (g.heads, sequences, length, d_head)
            part = b.apply("reshape", part, name=f"{label}_sequences{mark}", shape=shape)
            own.append(b.apply("transpose", part, name=f"{label}_by_sequence{mark}", dims=(0, 1)))
        y = attended(workload, b, own, mark)
        y = b.apply("transpose", y, name=f"heads_last{mark}", dims=(1, 2))
        found.append(b.apply("reshape", y, name=f"merge_heads{mark}", shape=(sequences * length, g.width)))
        start = start + sequences * length
    y = found[0] if len(found) == 1 else b.apply("concat", *found, name="all_windows", dim=0)
    return linear(b, "proj", y, g.width)


def attended(workload: Workload, b: Builder, parts: Sequence[Value], mark: str) -> Value:
    """Returns the values that queries read, all of shape (sequences, heads, length, d_head)."""
    q, k, v = parts
    y: Value
    if workload.attention == "fused":
        y = b.apply("scaled_dot_product_attention", q, k, v, name=f"sdpa{mark}", causal=False)
        return y
    keys = b.apply("transpose", k, name=f"k_last{mark}", dims=(-2, -1))
    scores = b.apply("scale", b.apply("matmul", q, keys, name=f"scores{mark}"), name=f"scale{mark}")
    upcast = {} if b.dtype == "float32" else {"dtype": "float32"}
    weights = b.apply("softmax", scores, name=f"softmax{mark}", **upcast)
    if upcast:
        weights = b.apply("cast", weights, name=f"weights{mark}", dtype=b.dtype)
    y = b.apply("matmul", weights, v, name=f"values{mark}")
    return y


def merged(g: Grid, m: Merger, b: Builder, x: Value) -> Value:
    """Returns one token for each square of patches."""
    width = g.width * g.merge**2
    squares = (exact_div(x.spec.shape[0], g.merge**2, "patches / spatial_merge_size²"), width)
    if m.norm_last:
        x = normed_by(b, m.norm, b.apply("reshape", x, name="squares", shape=squares), g.norm)
    else:
        x = b.apply("reshape", normed_by(b, m.norm, x, g.norm), name="squares", shape=squares)
    x = b.apply("gelu", linear(b, m.up, x, width), name="act")
    return linear(b, m.down, x, g.out)
