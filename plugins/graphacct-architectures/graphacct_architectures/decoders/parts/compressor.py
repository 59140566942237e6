"""Keys that stand for several tokens each: every `rate` tokens become one entry, a mixture of their projections
(DeepSeek-AI, "DeepSeek-V4", 2026, sections 2.3.1 and 2.3.2).

The cache holds the entries, and the projections of the tokens whose window is not full yet. Without a cache those
tokens are dropped. Whether a decoding step closes a window depends on the cache's length; on a length that is a symbol
or a sweep it closes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import Builder, Dim, TensorSpec, Value, Workload, ceil_div, floor_div, frozen, has_value, less, minimum
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.indexer import known, ungraded
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import linear, resident

CACHING = ("prefill", "decode")


@frozen
class Compressor:
    """How tokens become entries.

    Attributes:
        rate: How many tokens a window has, and an entry stands for.
        width: An entry's width.
        rotary: How many of an entry's last dimensions are rotated by the position of its window's first token.
        overlapping: Whether an entry is also made of the window before its own, for which each token has a second
            projection.
        norm: The kind of the entries' norm.
        graded: Whether it has gradients.
    """

    rate: int
    width: Dim
    rotary: Dim
    overlapping: bool
    norm: Norm
    graded: bool = True

    @property
    def projected(self) -> Dim:
        """The width of a token's projection."""
        return 2 * self.width if self.overlapping else self.width


@frozen
class Windows:
    """The windows that a pass meets.

    Attributes:
        left: Tokens in the cache whose window was not full.
        closed: Windows that become entries.
        rest: Tokens after them.
        before: Entries in the cache.
    """

    left: Dim
    closed: Dim
    rest: Dim
    before: Dim


def some(count: Dim) -> bool:
    """Returns whether there are any, or may be."""
    return not has_value(count) or bool(count > 0)


def closes(rate: int, workload: Workload, found: Windows) -> bool:
    """Returns whether windows become entries in this pass; of a symbol's tokens some do."""
    if workload.phase == "decode":
        return some(found.closed)
    return not less(workload.seq_len, rate)


def cached(rate: int, workload: Workload, found: Windows) -> bool:
    """Returns whether the cache has entries; one whose length is a symbol has."""
    if workload.phase != "decode" or has_value(found.before):
        return some(found.before)
    return not less(workload.positions, rate)


def windows_of(rate: int, workload: Workload) -> Windows:
    """Returns the windows of so many tokens that this workload's pass meets."""
    seq = workload.seq_len
    assert seq is not None
    if workload.phase != "decode":
        closed = floor_div(seq, rate)
        return Windows(0, closed, seq - rate * closed, 0)
    length = workload.cache_len
    assert length is not None
    if has_value(length) and (length + seq) % rate == 0:
        before = length // rate
        return Windows(length - rate * before, 1, 0, before)
    known = floor_div(length + seq, rate)
    return Windows(length - rate * known, 0, length + seq - rate * known, known)


def entries(c: Compressor, workload: Workload, b: Builder, x: Value, label: str) -> Value | None:
    """Returns all entries so far, (batch, entries, width), of the stream x (batch, seq, width), or None if there is
    none; the builder is in the compressor's scope. Their cache is called after `label`."""
    found = windows_of(c.rate, workload)
    batch = x.spec.shape[0]
    kv, gate = (projected(c, workload, b, x, name, found) for name in ("kv_proj", "gate_proj"))
    if closes(c.rate, workload, found):
        usable = c.rate * found.closed
        of_kv, of_gate = (
            b.apply("slice", part, name=f"{name}_whole", dim=1, start=0, length=usable) if some(found.rest) else part
            for part, name in ((kv, "kv"), (gate, "gate"))
        )
        new: Value | None = made(c, workload, b, of_kv, of_gate, found)
    else:
        new = None
        bias = b.parameter("position_bias", (c.rate, c.projected), "float32")
        resident(b, "unused", bias, b.parameter("kv_norm.weight", (c.width,), "float32"))
    if workload.phase not in CACHING:
        return new
    total = workload.positions
    dtype = workload.kv_dtype or b.dtype
    if new is not None and new.spec.dtype != dtype:
        new = b.apply("cast", new, name=f"{label}_as_cached", dtype=dtype)
    if cached(c.rate, workload, found):
        cache = b.apply("kv_cache", name=f"{label}_cache", shape=(batch, found.before, c.width), dtype=dtype)
        new = cache if new is None else b.apply("concat", cache, new, name=f"{label}_cached", dim=1)
    row = TensorSpec((c.width,), dtype).bytes
    waiting = TensorSpec((2 * c.projected,), b.dtype).bytes
    ended, ending = floor_div(total, c.rate), floor_div(total + 1, c.rate)
    closing = ending - ended  # windows that the next token closes, whose tokens wait no longer
    following = row * closing + waiting * (1 - c.rate * closing)
    if c.overlapping:  # what is kept of the last window, from the first one on
        last = TensorSpec((c.rate, c.width), b.dtype).bytes + TensorSpec((c.rate, c.width), "float32").bytes
        following += last * (minimum(ending, 1) - minimum(ended, 1))
    growth: dict[str, Any] = {"grows": ceil_div(row, c.rate), "following": following}
    if new is not None:
        b.emit(b.apply("kv_keep", new, name=f"{label}_kept", **growth))
        growth = {"grows": False}
    keep_rest(c.rate, workload, b, (kv, gate), found, growth)
    if (
        c.overlapping and not some(found.closed) and cached(c.rate, workload, found)
    ):  # what the next window needs of the last one
        for name, kept in (("kv", b.dtype), ("gate", "float32")):
            b.emit(b.apply("kv_keep", overlap(c, b, batch, name, kept), name=f"{name}_overlap_kept", grows=False))
    return new


def projected(c: Compressor, workload: Workload, b: Builder, x: Value, name: str, found: Windows) -> Value:
    """Returns the projections of the tokens that have no entry yet: those in the cache, then x's."""
    if c.graded and closes(c.rate, workload, found):
        y = linear(b, name, x, c.projected, bias=False)
    else:  # what reads no gradient gives none
        y = ungraded(workload, b, name, x, c.projected)
    if not some(found.left):
        return y if workload.phase != "decode" else b.apply("concat", y, name=f"{name}_cached", dim=1)
    shape = (x.spec.shape[0], found.left, c.projected)
    cache = b.apply("kv_cache", name=f"{name}_cache", shape=shape, dtype=y.spec.dtype)
    joined: Value = b.apply("concat", cache, y, name=f"{name}_cached", dim=1)
    return joined


def keep_rest(
    rate: int,
    workload: Workload,
    b: Builder,
    parts: tuple[Value, Value],
    found: Windows,
    growth: Mapping[str, Any],
) -> None:
    """Keeps the projections of the tokens whose window is not full. If there is no entry yet, what a token adds to
    those is said here."""
    if not some(found.rest):
        return
    for part, name in zip(parts, ("kv", "gate"), strict=True):
        whole = part.spec.shape[1]
        if closes(rate, workload, found):
            part = b.apply("slice", part, name=f"{name}_rest", dim=1, start=whole - found.rest, length=found.rest)
        b.emit(b.apply("kv_keep", part, name=f"{name}_rest_kept", **growth))
        growth = {"grows": False}


def made(c: Compressor, workload: Workload, b: Builder, kv: Value, gate: Value, found: Windows) -> Value:
    """Returns the entries of whole windows, (batch, windows, width): in each dimension the sum of its tokens'
    projections, weighted by a softmax of their gates."""
    batch = kv.spec.shape[0]
    shape = (batch, found.closed, c.rate, c.projected)
    kv = b.apply("reshape", kv, name="kv_windows", shape=shape)
    gate = b.apply("reshape", gate, name="gate_windows", shape=shape)
    bias = (c.rate, c.projected)
    known_bias = (
        b.parameter("position_bias", bias, "float32")
        if c.graded
        else known(workload, b, "position_bias", bias, "float32")
    )
    gate = b.apply("add", gate, known_bias, name="gate_of_places")
    if c.overlapping:
        kv, gate = (overlapped(c, workload, b, part, name, found) for part, name in ((kv, "kv"), (gate, "gate")))
    gate = b.apply("permute", gate, name="gate_places_last", dims=(0, 1, 3, 2))
    gate = b.apply("softmax", gate, name="shares", **({} if gate.spec.dtype == "float32" else {"dtype": "float32"}))
    gate = b.apply("permute", gate, name="shares_in_order", dims=(0, 1, 3, 2))
    if gate.spec.dtype != kv.spec.dtype:
        gate = b.apply("cast", gate, name="shares_narrowed", dtype=kv.spec.dtype)
    y = b.apply("sum", b.apply("mul", kv, gate, name="weighted"), name="window_sum", dim=2)
    if c.graded:
        y = normed_by(b, "kv_norm", y, c.norm)
    else:
        weight = known(workload, b, "kv_norm.weight", (c.width,), "float32")
        y = b.apply("rms_norm", y, weight, name="kv_norm", upcast=c.norm.upcast)
    return turned_entries(c, b, y, found)


def overlapped(c: Compressor, workload: Workload, b: Builder, x: Value, name: str, found: Windows) -> Value:
    """Returns each window's tokens behind those of the window before, (batch, windows, 2 · rate, width): of these the
    first projection, of its own the second. Before the first window there is nothing, or what the cache holds."""
    batch, count = x.spec.shape[:2]
    first, second = b.apply("split", x, name=f"{name}_series", parts=2)
    one = (batch, 1, c.rate, c.width)
    if workload.phase == "decode" and cached(c.rate, workload, found):
        before = overlap(c, b, batch, name, x.spec.dtype)
        before = b.apply("reshape", before, name=f"{name}_overlap", shape=one)
    else:
        before = b.apply("full", name=f"{name}_before", shape=one, dtype=x.spec.dtype)
    if has_value(count) and count == 1:
        earlier = b.apply("concat", before, name=f"{name}_of_window_before", dim=1)
    else:
        earlier = b.apply("slice", first, name=f"{name}_earlier", dim=1, start=0, length=count - 1)
        earlier = b.apply("concat", before, earlier, name=f"{name}_of_window_before", dim=1)
    if workload.phase in CACHING:
        last = b.apply("slice", first, name=f"{name}_last", dim=1, start=count - 1, length=1)
        last = b.apply("reshape", last, name=f"{name}_last_window", shape=(batch, c.rate, c.width))
        b.emit(b.apply("kv_keep", last, name=f"{name}_overlap_kept", grows=False))
    joined: Value = b.apply("concat", earlier, second, name=f"{name}_overlapped", dim=2)
    return joined


def overlap(c: Compressor, b: Builder, batch: Dim, name: str, dtype: str) -> Value:
    """Returns what the cache has of the last window's first projections."""
    found: Value = b.apply("kv_cache", name=f"{name}_overlap_cache", shape=(batch, c.rate, c.width), dtype=dtype)
    return found


def turned_entries(c: Compressor, b: Builder, x: Value, found: Windows) -> Value:
    """Returns entries (batch, windows, width) rotated by the positions of their windows, in tables that the module
    makes for every sequence of the batch."""
    batch, count, width = x.spec.shape
    rows = batch * count
    with b.scope("rotary_emb"):
        places = b.apply("arange", name="windows", batch=batch, n=count)
        places = b.apply("cast", b.apply("scale", places, name="starts"), name="places", dtype="float32")
        column = b.apply("reshape", places, name="column", shape=(rows, 1))
        rates = b.apply("constant", name="inv_freq", shape=(1, c.rotary // 2), dtype="float32")
        angles = b.apply("mul", column, rates, name="freqs")
        tables = []
        for function in ("cos", "sin"):
            table = b.apply("scale", b.apply(function, angles, name=function), name=f"{function}_scaled")
            if x.spec.dtype != "float32":
                table = b.apply("cast", table, name=f"{function}_table", dtype=x.spec.dtype)
            tables.append(table)
    flat = b.apply("reshape", x, name="entries_flat", shape=(rows, width))
    flat = turned_last(b, flat, tables[0], tables[1], c.rotary, "entries")
    back: Value = b.apply("reshape", flat, name="entries", shape=(batch, count, width))
    return back


def turned_last(b: Builder, x: Value, cos: Value, sin: Value, rotary: Dim, label: str) -> Value:
    """Returns x (..., seq, width) with its last `rotary` dimensions rotated in float32, by tables with one angle for
    each pair, which each call repeats."""
    dtype, width = x.spec.dtype, x.spec.shape[-1]
    cos, sin = (
        b.apply("repeat", table, name=f"{label}_{word}_repeated", times=(1, 2))
        for table, word in ((cos, "cos"), (sin, "sin"))
    )
    parts: tuple[Value, ...] = (x,)
    if some(width - rotary):
        parts = b.apply("split", x, name=f"{label}_parts", sizes=(width - rotary, rotary))
    *front, last = parts
    if dtype != "float32":
        last = b.apply("cast", last, name=f"{label}_wide", dtype="float32")
    last = b.apply("rotary_embedding", last, cos, sin, name=f"{label}_rope", composed=True)
    if last.spec.dtype != dtype:
        last = b.apply("cast", last, name=f"{label}_narrowed", dtype=dtype)
    turned: Value = b.apply("concat", *front, last, name=f"{label}_turned", dim=-1)
    return turned
