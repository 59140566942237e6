"""Swin and Swin V2 of timm's by their names (Liu et al., 2021, arXiv:2103.14030 and arXiv:2111.09883; Chen et al.,
2021, arXiv:2111.14725; timm's models/swin_transformer.py and swin_transformer_v2.py)."""

from __future__ import annotations

from functools import partial

from graphacct_architectures.layers import drop_path, layer_norm, linear, merge_heads
from graphacct_architectures.tower import check_image, patches

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    Parameter,
    Value,
    Workload,
    ceil_div,
    equal,
    floor_div,
    frozen,
    has_value,
    prod,
)
from graphacct_vision.parts.windows import Grid, alternating, into_windows, merged, out_of_windows
from graphacct_vision.timm.tables import plain, settings
from graphacct_vision.timm.transformer import Layers, network, projected, read
from graphacct_vision.vits.swinv2 import HIDDEN, unit

DROP_PATH, RATIO = 0.1, 4
"""What every name has: the probability with which a branch is dropped in training, and a network's hidden width."""


@frozen(kw_only=True)
class TimmSwin:
    """A Swin of timm's.

    Attributes:
        width: Channels of the first stage; each later one has twice as many.
        depths: Layers of each stage.
        heads: Heads of each stage.
        window: The side of a window, or of each stage's.
        second: Whether it is a V2: attention by the cosine, norms after each part.
        patch: Height and width of a patch.
        image: Height and width of an image, or both.
    """

    width: int = 96
    depths: tuple[int, ...] = (2, 2, 6, 2)
    heads: tuple[int, ...] = (3, 6, 12, 24)
    window: int | tuple[int, ...] = 7
    second: bool = False
    patch: int = 4
    image: int | tuple[int, int] = 224

    def windows(self, stage: int, grid: Grid) -> tuple[int, int]:
        """Returns a stage's window, which is no larger than its map, and by how much every other layer's is shifted:
        0 where one window has the whole map. Raises ConfigError for windows that are not square."""
        asked = self.window if isinstance(self.window, int) else self.window[stage]
        found = {min(side, asked) for side in grid if has_value(side)}
        if len(found) != 1:
            raise ConfigError(f"stage {stage} has {grid[0]}x{grid[1]} patches and windows of {asked}: they are square")
        window = found.pop()
        return window, asked // 2 if grid[0] > window else 0


def named(name: str) -> TimmSwin | None:
    """Returns the Swin of a name, which may have the tag of its weights; None if it is of no such name."""
    found = settings("swin").get(plain(name))
    return None if found is None else TimmSwin(**found)


def build(kind: TimmSwin, workload: Workload, b: Builder, pixels: Value, labels: Dim) -> tuple[Value, Value]:
    """Returns the last map, normalized, and the logits of its mean."""
    x, grid = stages(kind, workload, b, pixels)[-1]
    x = layer_norm(b, "norm", x)
    x = b.apply("reshape", x, name="map", shape=(workload.batch, *grid, x.spec.shape[-1]))
    with b.scope("head"):
        mean = b.apply("mean", x, name="global_pool", dim=(1, 2))
        return x, mean if equal(labels, 0) else linear(b, "fc", mean, labels)


def levels(kind: TimmSwin) -> int:
    """Returns how many maps a backbone has: each stage's."""
    return len(kind.depths)


def features(
    kind: TimmSwin, workload: Workload, b: Builder, pixels: Value, places: tuple[int, ...], stride: int
) -> list[Value]:
    """Returns the maps of a backbone at places, in order, none of which is after the last; channels come last. Its
    stages are modules of the model, not of a list."""
    found = []
    for place, (x, grid) in enumerate(stages(kind, workload, b, pixels, places[-1] + 1, between="_")):
        if place in places:
            shape = (workload.batch, *grid, x.spec.shape[-1])
            found.append(b.apply("reshape", x, name=f"map_{place}", shape=shape))
    return found


def stages(
    kind: TimmSwin, workload: Workload, b: Builder, pixels: Value, count: int = 4, *, between: str = "."
) -> list[tuple[Value, Grid]]:
    """Returns the tokens of the first stages and the grid that they are on; `between` stands before the numbers of
    stages in their names."""
    image = pixels.spec.shape[2:]
    own = kind.image if isinstance(kind.image, tuple) else (kind.image, kind.image)
    check_image((image[0], image[1]), own, "architecture's image")
    grid: Grid = (floor_div(image[0], kind.patch), floor_div(image[1], kind.patch))
    with b.scope("patch_embed"):
        x = patches(b, "proj", pixels, kind.width, (kind.patch, kind.patch), bias=True)
        x = layer_norm(b, "norm", x)
    found = []
    for index, depth in enumerate(kind.depths[:count]):
        with b.scope(f"layers{between}{index}"):
            if index:
                with b.scope("downsample"):
                    x, grid = merged(b, x, grid, norm_last=kind.second)
            window, shift = kind.windows(index, grid)
            body = partial(layer_of, kind, workload, index, grid, window, shift)
            spared = index == 0 and workload.phase == "train"
            x = alternating(b, "blocks", depth, body, x, spared=spared, shifts=shift > 0)
        found.append((x, grid))
    return found


def layer_of(
    kind: TimmSwin, workload: Workload, stage: int, grid: Grid, window: int, shift: int, shifted: bool, spared: bool
) -> partial[Value]:
    """Returns a layer's body, of whether its windows are shifted and whether it drops no branch."""
    rate = 0.0 if spared else DROP_PATH
    return partial(layer, kind, workload, stage, grid, window, shift if shifted else 0, rate)


def layer(
    kind: TimmSwin,
    workload: Workload,
    stage: int,
    grid: Grid,
    window: int,
    shift: int,
    rate: float,
    b: Builder,
    x: Value,
) -> Value:
    """Returns x (batch, rows * columns, channels) after a layer."""
    batch = x.spec.shape[0]
    b.hold(x)
    parts = Layers(
        layers=1,
        heads=kind.heads[stage],
        hidden=RATIO * kind.width * 2**stage,
        qkv="biases" if kind.second else "joint",
    )
    y = x if kind.second else layer_norm(b, "norm1", x)
    y = into_windows(b, y, grid, window, shift)
    hidden = mask(b, grid, window) if shift else None
    with b.scope("attn"):
        y = (cosine if kind.second else attention)(parts, workload, window, b, y, hidden)
    y = out_of_windows(b, y, batch, grid, window, shift)
    y = layer_norm(b, "norm1", y) if kind.second else y
    x = b.apply("add", x, drop_path(b, "drop_path1", y, rate, workload), name="attn_residual")
    y = x if kind.second else layer_norm(b, "norm2", x)
    with b.scope("mlp"):
        y = network(parts, b, y)
    y = layer_norm(b, "norm2", y) if kind.second else y
    return b.apply("add", x, drop_path(b, "drop_path2", y, rate, workload), name="mlp_residual")


def mask(b: Builder, grid: Grid, window: int) -> Value:
    """Returns what hides pairs of a shifted window that lay apart before the shift, (windows, window², window²), which
    the model keeps."""
    count = prod([ceil_div(side, window) for side in grid])
    found: Value = b.apply("constant", name="attn_mask", shape=(count, window**2, window**2), dtype=b.dtype)
    return found


def attention(parts: Layers, workload: Workload, window: int, b: Builder, x: Value, hidden: Value | None) -> Value:
    """Returns attention in windows (batch * windows, window², channels); the builder is in its scope."""
    width, count = x.spec.shape[-1], window**2
    b.hold(x)
    q, k, v = projected(parts, b, x)
    b.hold(q, k, v)
    table = b.parameter("relative_position_bias_table", ((2 * window - 1) ** 2, parts.heads))
    numbers = by_pair(b, table, parts.heads, window)
    if hidden is not None:
        windows = x.spec.shape[0]
        each = b.apply("reshape", hidden, name="hidden_of_windows", shape=(1, hidden.spec.shape[0], 1, count, count))
        shape = (floor_div(windows, hidden.spec.shape[0]), hidden.spec.shape[0], 1, count, count)
        each = b.apply("expand", each, name="hidden_of_batch", shape=shape)
        each = b.apply("reshape", each, name="hidden", shape=(windows, 1, count, count))
        numbers = b.apply("add", numbers, each, name="pairs_hidden")
    return linear(b, "proj", merge_heads(b, read(workload, b, q, k, v, mask=numbers)), width)


def by_pair(b: Builder, table: Value | Parameter, heads: int, window: int) -> Value:
    """Returns the row of a table for each pair of places in a window, (1, heads, window², window²)."""
    count = window**2
    places = b.apply("constant", name="index", shape=(count**2,), dtype="int64")
    x = b.apply("index_select", table, places, name="read", dim=0)
    x = b.apply("reshape", x, name="pairs", shape=(count, count, heads))
    x = b.apply("contiguous", b.apply("permute", x, name="by_head", dims=(2, 0, 1)), name="copied")
    found: Value = b.apply("reshape", x, name="bias", shape=(1, heads, count, count))
    return found


def cosine(parts: Layers, workload: Workload, window: int, b: Builder, x: Value, hidden: Value | None) -> Value:
    """Returns attention by the cosine of queries and keys, whose scale each head learns, biased by a network of the
    distance. It is always written out."""
    width, count, span = x.spec.shape[-1], window**2, 2 * window - 1
    b.hold(x)
    q, k, v = projected(parts, b, x)
    b.hold(q, k, v)
    scores = b.apply("matmul", unit(b, q, "q"), b.apply("transpose", unit(b, k, "k"), name="k_last", dims=(-2, -1)))
    scale = b.apply("clamp", b.parameter("logit_scale", (parts.heads, 1, 1)), name="clamped")
    scores = b.apply("mul", scores, b.apply("exp", scale, name="scale"), name="scaled")
    table = b.apply("constant", name="relative_coords_table", shape=(1, span, span, 2), dtype=b.dtype)
    with b.scope("cpb_mlp"):
        y = b.apply("relu", linear(b, "0", table, HIDDEN), name="1")
        y = linear(b, "2", y, parts.heads, bias=False)
    y = b.apply("reshape", y, name="table", shape=(span**2, parts.heads))
    y = b.apply("sigmoid", by_pair(b, y, parts.heads, window), name="sigmoid")
    scores = b.apply("add", scores, b.apply("scale", y, name="sixteen_times"), name="biased")
    if hidden is not None:
        windows, number = x.spec.shape[0], hidden.spec.shape[0]
        shape = (floor_div(windows, number), number, parts.heads, count, count)
        scores = b.apply("reshape", scores, name="by_window", shape=shape)
        each = b.apply("reshape", hidden, name="hidden", shape=(1, number, 1, count, count))
        scores = b.apply("add", scores, each, name="pairs_hidden")
        scores = b.apply("reshape", scores, name="masked", shape=(windows, parts.heads, count, count))
    y = b.apply("matmul", b.apply("softmax", scores, name="softmax"), v, name="values")
    return linear(b, "proj", merge_heads(b, y), width)
