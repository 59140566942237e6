"""Attention in bands: each token sees a window on either side, computed in chunks of the window (Longformer's).

Beltagy et al., 2020 (arXiv:2004.05150), as the transformers library writes it out: the scores of two neighbouring
chunks of `one_side` tokens are one product, of which the band is kept. Tokens with global attention see all others and
are seen by all, through projections of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct import Builder, ConfigError, Dim, Value, Workload, brief, equal, floor_div, frozen, has_value
from graphacct_architectures.layers import dropped, linear, resident


@frozen
class Band:
    """One layer's attention in a band.

    Attributes:
        heads: The number of heads.
        d_head: Width of a head.
        one_side: Tokens that a token sees on either side: half a window.
        dropout: The dropout probability of the weights, in training.
        global_tokens: How many tokens of each text have global attention.
        query, key, value: The names of the projections; those of global attention end in `_global`.
    """

    heads: Dim
    d_head: Dim
    one_side: Dim
    dropout: float = 0.0
    global_tokens: Dim = 0
    query: str = "query"
    key: str = "key"
    value: str = "value"


def windows_of(value: object, count: Dim, key: str = "attention_window") -> tuple[Dim, ...]:
    """Returns the window of each layer, or one for all. Raises ConfigError for one that is odd, or no divisor of the
    largest."""
    found = tuple(value) if isinstance(value, Sequence) else (value,)
    if isinstance(value, Sequence) and type(count) is int and len(found) != count:
        raise ConfigError(f"{key} has {len(found)} windows for {count} layers")
    for window in found:
        if has_value(window) and (window < 2 or window % 2):
            raise ConfigError(f"{key} has {brief(window)}: a window is an even number")
    numbers = [window for window in found if has_value(window)]
    for window in numbers:
        if max(numbers) % window:
            raise ConfigError(f"{key} has {window} and {max(numbers)}: texts are padded to the largest window alone")
    return found


def widest(windows: tuple[Dim, ...]) -> Dim:
    """Returns the largest window."""
    return max(windows) if len(windows) > 1 else windows[0]


def runs(each: tuple[Any, ...], count: Dim) -> list[tuple[int, Dim, Any]]:
    """Returns runs of layers that are alike, of one item for all or one for each: the first layer's index, their number
    and the item."""
    if len(set(each)) == 1:
        return [(0, count, each[0])]
    found: list[tuple[int, Dim, Any]] = []
    for index, own in enumerate(each):
        if found and found[-1][2] == own:
            start, times, _ = found.pop()
            found.append((start, times + 1, own))
        else:
            found.append((index, 1, own))
    return found


def padded_length(seq: Dim, window: Dim) -> Dim:
    """Returns the length that a text is padded to: a multiple of the window."""
    return floor_div(seq + window - 1, window) * window


def banded(band: Band, workload: Workload, b: Builder, x: Value, padded: Value | None = None) -> Value:
    """Returns attention's output for x (batch, seq, width), heads side by side; the builder is in its scope. `padded`
    (batch, seq, 1, 1) says which tokens are padding; it is made here unless layers share it."""
    batch, seq, width = x.spec.shape
    heads, d_head, side = band.heads, band.d_head, band.one_side
    inner = heads * d_head
    rows = b.apply("transpose", x, name="by_token", dims=(0, 1))
    q, k, v = (linear(b, name, rows, inner) for name in (band.query, band.key, band.value))
    q = b.apply("scale", q, name="q_scaled")
    q, k, v = (
        b.apply(
            "transpose",
            b.apply("reshape", part, name=f"{label}_heads", shape=(seq, batch, heads, d_head)),
            name=f"{label}_by_text",
            dims=(0, 1),
        )
        for part, label in ((q, "q"), (k, "k"), (v, "v"))
    )
    b.hold(q, k, v)
    scores = inside(b, diagonals(b, q, k, side, "scores"), side)
    unseen = b.apply("full", name="unseen", shape=(batch, seq, 1, 1), dtype=b.dtype)
    ones = b.apply("full", name="ones", shape=(batch, seq, 1, 1), dtype=b.dtype)
    scores = b.apply("add", scores, diagonals(b, ones, unseen, side, "mask"), name="masked_scores")
    count = band.global_tokens
    some = not (has_value(count) and count == 0)
    chosen: dict[str, Value] = {}
    if some:
        for label, part in (("k", k), ("v", v)):
            chosen[label] = b.apply("slice", part, name=f"{label}_global", dim=1, start=0, length=count)
            chosen[label] = b.apply("clone", chosen[label], name=f"{label}_global_copied")
        of_global = b.apply("einsum", q, chosen["k"], name="global_scores", equation="blhd,bshd->blhs")
        scores = b.apply("concat", of_global, scores, name="all_scores", dim=-1)
    if b.dtype != "float32":
        scores = b.apply("cast", scores, name="scores_upcast", dtype="float32")
    weights = b.apply("softmax", scores, name="softmax")
    hidden = b.apply("full", name="hidden", shape=(batch, seq, 1, 1), dtype="bool") if padded is None else padded
    weights = b.apply("masked_fill", weights, hidden, name="seen_weights")
    if b.dtype != "float32":
        weights = b.apply("cast", weights, name="weights_narrowed", dtype=b.dtype)
    weights = dropped(b, "dropout", weights, band.dropout, workload)
    if not some:
        y = weighed(b, weights, v, side)
    else:
        first = b.apply("slice", weights, name="global_weights", dim=-1, start=0, length=count)
        first = b.apply("transpose", first, name="global_weights_by_head", dims=(1, 2))
        values = b.apply("transpose", chosen["v"], name="global_values_by_head", dims=(1, 2))
        first = b.apply("clone", first, name="global_weights_copied")
        values = b.apply("clone", values, name="global_values_copied")
        own = b.apply("matmul", first, values, name="global_values")
        own = b.apply("transpose", own, name="global_by_token", dims=(1, 2))
        rest = b.apply("slice", weights, name="band_weights", dim=-1, start=count, length=2 * side + 1)
        rest = b.apply("contiguous", rest, name="band_weights_copied")
        y = b.apply("add", own, weighed(b, rest, v, side), name="both_values")
    y = b.apply("transpose", y, name="merge_transposed", dims=(0, 1))
    y = b.apply("reshape", y, name="merge_heads", shape=(seq, batch, inner))
    globals_ = whole(band, workload, b, rows) if some else None
    if globals_ is None:
        for name in (band.query, band.key, band.value):
            weight = b.parameter(f"{name}_global.weight", (inner, width))
            resident(b, f"{name}_global", weight, b.parameter(f"{name}_global.bias", (inner,)))
    else:
        left = b.apply("slice", y, name="without_global", dim=0, start=count, length=seq - count)
        y = b.apply("concat", globals_, left, name="with_global", dim=0)
    return b.apply("transpose", y, name="output_by_text", dims=(0, 1))


def chunks(b: Builder, x: Value, side: Dim, name: str) -> Value:
    """Returns x (batch, seq, heads, d_head) in overlapping chunks of two sides, (batch · heads, chunks, 2 · side,
    d_head)."""
    batch, seq, heads, d_head = x.spec.shape
    x = b.apply("transpose", x, name=f"{name}_by_head", dims=(1, 2))
    x = b.apply("reshape", x, name=f"{name}_flat", shape=(batch * heads, seq, d_head))
    x = b.apply("unfold", x, name=f"{name}_chunks", dimension=1, size=2 * side, step=side)
    return b.apply("permute", x, name=f"{name}_chunk_rows", dims=(0, 1, 3, 2))


def diagonals(b: Builder, q: Value, k: Value, side: Dim, name: str) -> Value:
    """Returns the scores of queries with the keys of their band, (batch, seq, heads, 2 · side + 1)."""
    batch, seq, heads, _ = q.spec.shape
    rows, columns = chunks(b, q, side, f"{name}_q"), chunks(b, k, side, f"{name}_k")
    columns = b.apply("permute", columns, name=f"{name}_columns", dims=(0, 1, 3, 2))
    product = "mul" if equal(q.spec.shape[3], 1) else "matmul"  # as torch.einsum has it
    y = b.apply(product, rows, columns, name=f"{name}_products")
    flat, count = y.spec.shape[:2]
    y = b.apply("pad", y, name=f"{name}_padded", padding=((0, 1), (0, 0)))
    y = b.apply("reshape", y, name=f"{name}_skewed", shape=(flat, count, 2 * side, 2 * side + 1))

    def part(label: str, first: Dim, number: Dim, row: Dim, column: Dim, length: Dim) -> Value:
        z = b.apply("slice", y, name=f"{name}_{label}_chunks", dim=1, start=first, length=number)
        z = b.apply("slice", z, name=f"{name}_{label}_rows", dim=2, start=row, length=side)
        return b.apply("slice", z, name=f"{name}_{label}", dim=3, start=column, length=length)

    after = [part("after", 0, count, 0, 0, side + 1), part("last", count - 1, 1, side, 0, side + 1)]
    before = [part("first", 0, 1, 0, side + 1, side), part("before", 0, count, side, side + 1, side)]
    upper = b.apply("concat", *after, name=f"{name}_upper", dim=1)
    lower = b.apply("concat", *before, name=f"{name}_lower", dim=1)
    y = b.apply("concat", lower, upper, name=f"{name}_band", dim=3)
    y = b.apply("reshape", y, name=f"{name}_by_query", shape=(batch, heads, seq, 2 * side + 1))
    return b.apply("transpose", y, name=name, dims=(1, 2))


def inside(b: Builder, scores: Value, side: Dim) -> Value:
    """Returns scores (batch, seq, heads, 2 · side + 1), of which those with places before the text and after it are
    overwritten."""
    batch, seq, heads, _ = scores.spec.shape
    shape = (batch, side, heads, side + 1)
    for label, row, column in (("before", 0, 0), ("after", seq - side, side)):
        part = b.apply("slice", scores, name=f"{label}_text_rows", dim=1, start=row, length=side)
        part = b.apply("slice", part, name=f"{label}_text", dim=3, start=column, length=side + 1)
        beyond = b.apply("full", name=f"{label}_text_mask", shape=shape, dtype="bool")
        lowest = b.apply("full", name=f"{label}_text_lowest", shape=shape, dtype=scores.spec.dtype)
        seen = b.apply("where", beyond, lowest, part, name=f"{label}_text_hidden")
        written = b.apply("copy_into", part, seen, name=f"{label}_text_written")
        scores = b.apply("written_through", scores, written, name=f"{label}_text_scores")
    return scores


def weighed(b: Builder, weights: Value, v: Value, side: Dim) -> Value:
    """Returns the values that weights (batch, seq, heads, 2 · side + 1) take of their band, (batch, seq, heads,
    d_head)."""
    batch, seq, heads, d_head = v.spec.shape
    flat, count = batch * heads, floor_div(seq, side)
    w = b.apply("transpose", weights, name="weights_by_head", dims=(1, 2))
    w = b.apply("reshape", w, name="weights_chunks", shape=(flat, count, side, 2 * side + 1))
    w = b.apply("pad", w, name="weights_padded", padding=((0, side + 1),))
    w = b.apply("reshape", w, name="weights_row", shape=(flat, count, side * (3 * side + 2)))
    w = b.apply("slice", w, name="weights_cut", dim=2, start=0, length=side * (3 * side + 1))
    w = b.apply("reshape", w, name="weights_skewed", shape=(flat, count, side, 3 * side + 1))
    w = b.apply("slice", w, name="weights_diagonal", dim=3, start=0, length=3 * side)
    y = b.apply("transpose", v, name="values_by_head", dims=(1, 2))
    y = b.apply("reshape", y, name="values_flat", shape=(flat, seq, d_head))
    y = b.apply("pad", y, name="values_padded", padding=((side, side), (0, 0)))
    y = b.apply("unfold", y, name="values_chunks", dimension=1, size=3 * side, step=side)
    y = b.apply("permute", y, name="values_rows", dims=(0, 1, 3, 2))
    y = b.apply("matmul", w, y, name="values")
    y = b.apply("reshape", y, name="values_of_heads", shape=(batch, heads, seq, d_head))
    return b.apply("transpose", y, name="values_by_token", dims=(1, 2))


def whole(band: Band, workload: Workload, b: Builder, rows: Value) -> Value:
    """Returns the output (tokens, batch, width) of tokens with global attention over rows (seq, batch, width)."""
    seq, batch, _ = rows.spec.shape
    heads, d_head, count = band.heads, band.d_head, band.global_tokens
    inner = heads * d_head
    own = b.apply("slice", rows, name="global_rows", dim=0, start=0, length=count)
    own = b.apply("clone", own, name="global_rows_copied")
    q = b.apply("scale", linear(b, f"{band.query}_global", own, inner), name="global_q_scaled")
    k, v = (linear(b, f"{name}_global", rows, inner) for name in (band.key, band.value))
    q, k, v = (
        b.apply(
            "transpose",
            b.apply("reshape", part, name=f"global_{label}_heads", shape=(length, batch * heads, d_head)),
            name=f"global_{label}_by_head",
            dims=(0, 1),
        )
        for part, label, length in ((q, "q", count), (k, "k", seq), (v, "v", seq))
    )
    scores = b.apply("matmul", q, b.apply("transpose", k, name="global_k_last", dims=(-2, -1)), name="whole_scores")
    hidden = b.apply("full", name="whole_hidden", shape=(1, 1, seq), dtype="bool")
    scores = b.apply("masked_fill", scores, hidden, name="whole_masked")
    if b.dtype != "float32":
        scores = b.apply("cast", scores, name="whole_upcast", dtype="float32")
    weights = b.apply("softmax", scores, name="whole_softmax")
    if b.dtype != "float32":
        weights = b.apply("cast", weights, name="whole_narrowed", dtype=b.dtype)
    weights = dropped(b, "whole_dropout", weights, band.dropout, workload)
    y = b.apply("matmul", weights, v, name="whole_values")
    y = b.apply("transpose", y, name="whole_by_token", dims=(0, 1))
    return b.apply("reshape", y, name="whole_merged", shape=(count, batch, inner))
