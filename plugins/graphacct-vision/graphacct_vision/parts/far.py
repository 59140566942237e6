"""Attention of a map's places whose scores are raised by learned numbers of their distance along each axis.

Li et al., 2022 (arXiv:2203.16527); Kirillov et al., 2023 (arXiv:2304.02643).
"""

from __future__ import annotations

from typing import Any

from graphacct_architectures.layers import dropped, linear

from graphacct import Builder, Dim, Value, Workload, equal, exact_div, floor_div, prod
from graphacct_vision.parts.windows import Grid, padded_grid


def attention(
    b: Builder,
    workload: Workload,
    x: Value,
    heads: Dim,
    *,
    bias: bool,
    learned: Grid | None,
    always: bool,
    upcast: bool,
    dropout: float = 0.0,
) -> Value:
    """Returns attention of x (batch, rows, columns, width) to itself. `learned` is the grid whose distances have
    numbers, None for none; `always` says that they are resized to the same size too. The builder is in its scope."""
    batch, rows, columns, width = x.spec.shape
    d_head, count = exact_div(width, heads, "hidden_size / num_attention_heads"), rows * columns
    y = linear(b, "qkv", x, 3 * width, bias=bias)
    y = b.apply("reshape", y, name="parts", shape=(batch, count, 3, heads, d_head))
    y = b.apply("permute", y, name="parts_first", dims=(2, 0, 3, 1, 4))
    y = b.apply("reshape", y, name="heads_together", shape=(3, batch * heads, count, d_head))
    q, k, v = (b.apply("select", y, name=label, dim=0, index=place) for place, label in enumerate("qkv"))
    b.hold(q, k, v)
    raised = None
    if learned is not None:
        raised = distances(b, q, (rows, columns), learned, always=always)
    if workload.attention == "fused":
        four = [
            b.apply("reshape", one, name=f"{label}_heads", shape=(batch, heads, count, d_head))
            for one, label in ((q, "q"), (k, "k"), (v, "v"))
        ]
        rest = (
            ()
            if raised is None
            else (b.apply("reshape", raised, name="raised_by_head", shape=(batch, heads, count, count)),)
        )
        y = b.apply("scaled_dot_product_attention", *four, *rest, name="sdpa")
    else:
        scores = b.apply("scale", q, name="scale")
        scores = b.apply("matmul", scores, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
        if raised is not None:
            scores = b.apply("add", scores, raised, name="raised")
        wide: dict[str, Any] = {"dtype": "float32"} if upcast and b.dtype != "float32" else {}
        weights = b.apply("softmax", scores, name="softmax", **wide)
        weights = b.apply("cast", weights, name="weights", dtype=b.dtype) if wide else weights
        weights = dropped(b, "attn_dropout", weights, dropout, workload)
        y = b.apply("matmul", weights, v, name="values")
    y = b.apply("reshape", y, name="by_place", shape=(batch, heads, rows, columns, d_head))
    y = b.apply("permute", y, name="heads_last", dims=(0, 2, 3, 1, 4))
    y = b.apply("reshape", y, name="merged", shape=(batch, rows, columns, width))
    return linear(b, "proj", y, width)


def distances(b: Builder, q: Value, grid: Grid, learned: Grid, *, always: bool) -> Value:
    """Returns a number for each query and each place, (batch * heads, places, places): the query times the learned
    vector of their distance in rows, plus that of their distance in columns."""
    batch, count, d_head = q.spec.shape
    rows, columns = grid
    x = b.apply("reshape", q, name="q_by_place", shape=(batch, rows, columns, d_head))
    parts = []
    for axis, (word, side, size) in enumerate((("h", rows, learned[0]), ("w", columns, learned[1]))):
        table: Any = b.parameter(f"rel_pos_{word}", (2 * size - 1, d_head))
        if always or not equal(side, size):
            table = b.apply("reshape", table, name=f"{word}_row", shape=(1, 2 * size - 1, d_head))
            table = b.apply("transpose", table, name=f"{word}_channels_first", dims=(1, 2))
            table = b.apply("upsample_linear", table, name=f"{word}_resized", size=(2 * side - 1,))
            table = b.apply("reshape", table, name=f"{word}_flat", shape=(d_head, 2 * side - 1))
            table = b.apply("transpose", table, name=f"{word}_last", dims=(0, 1))
        places = b.apply("constant", name=f"{word}_index", shape=(side**2,), dtype="int64")
        near = b.apply("index_select", table, places, name=f"{word}_read", dim=0)
        near = b.apply("reshape", near, name=f"{word}_pairs", shape=(side, side, d_head))
        near = b.apply("transpose", near, name=f"{word}_turned", dims=(1, 2))
        if axis == 0:
            found = b.apply("matmul", x, near, name="by_row")
            found = b.apply("reshape", found, name="by_row_column", shape=(batch, rows, columns, rows, 1))
        else:
            turned = b.apply("transpose", x, name="columns_first", dims=(1, 2))
            found = b.apply("matmul", turned, near, name="by_column")
            found = b.apply("transpose", found, name="rows_first", dims=(1, 2))
            found = b.apply("reshape", found, name="by_column_row", shape=(batch, rows, columns, 1, columns))
        parts.append(found)
    both = b.apply("add", *parts, name="both_distances")
    return b.apply("reshape", both, name="distances", shape=(batch, count, count))


def into(b: Builder, x: Value, window: Dim) -> Value:
    """Returns a map (batch, rows, columns, width) as windows (batch * windows, window, window, width)."""
    batch, rows, columns, width = x.spec.shape
    whole = padded_grid((rows, columns), window)
    rest = [(0, after - side) for after, side in zip(whole, (rows, columns), strict=True)]
    x = b.apply("pad", x, name="padded", padding=(*rest, (0, 0)))  # torch copies where nothing is missing too
    counts = [floor_div(side, window) for side in whole]
    x = b.apply("reshape", x, name="by_window", shape=(batch, counts[0], window, counts[1], window, width))
    x = b.apply("contiguous", b.apply("permute", x, name="windows_first", dims=(0, 1, 3, 2, 4, 5)), name="windows")
    return b.apply("reshape", x, name="windows_flat", shape=(batch * prod(counts), window, window, width))


def out_of(b: Builder, x: Value, batch: Dim, grid: Grid, window: Dim) -> Value:
    """Returns windows put back in their places."""
    width = x.spec.shape[-1]
    whole = padded_grid(grid, window)
    counts = [floor_div(side, window) for side in whole]
    x = b.apply("reshape", x, name="windows_back", shape=(batch, *counts, window, window, width))
    x = b.apply("contiguous", b.apply("permute", x, name="rows_together", dims=(0, 1, 3, 2, 4, 5)), name="put_back")
    x = b.apply("reshape", x, name="map_back", shape=(batch, *whole, width))
    for dim, side in enumerate(grid, 1):
        x = b.apply("slice", x, name=f"cut_{dim}", dim=dim, start=0, length=side)
    return b.apply("contiguous", x, name="cut")
