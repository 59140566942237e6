"""What all layers of a decoder are given: masks, rotary tables, the positions' ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphacct import Builder, Dim, Value, Workload, equal, exact_div, less, minimum
from graphacct_architectures.decoders.parts.description.attention import Attention, Mixing
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.names import ALIBI, POSITIONS, mask_name


def unread(kind: Layer, workload: Workload, tables: Mapping[str, Value]) -> Iterator[str]:
    """Yields the tables that the library gives to a layer of this kind and that the layer does not read."""
    if kind.attention_instead:
        yield from tables
        return
    a = kind.attention
    if isinstance(a, Mixing):
        yield from (name for name in tables if name == POSITIONS or name.endswith((".cos", ".sin")))
        return
    if POSITIONS in tables and not a.position_scaled:
        yield POSITIONS
    if workload.attention != "eager" and a.alibi:
        yield ALIBI
    if equal(a.rotary, 0):
        for function in ("cos", "sin"):
            if f"{a.rotary_tables}.{function}" in tables:
                yield f"{a.rotary_tables}.{function}"


def masks(d: Decoder, workload: Workload, b: Builder) -> dict[str, Value]:
    """Returns the masks that the layers add to their scores, by name, one of each kind for the whole model.

    Attention in one operator needs a mask only if it is more than causal: slopes, or bools for a window that the
    sequence reaches; or if the model always makes one.
    """
    seq, length = workload.seq_len, workload.positions
    found: dict[str, Value] = {}
    whole = workload.attention != "eager"
    for a in dict.fromkeys(kind.attention for kind in d.kinds if not kind.attention_instead):
        if isinstance(a, Mixing):
            continue
        if a.unmasked and a.window is None:
            continue
        name = mask_name(a, workload)
        keys = length
        if workload.phase == "decode" and a.window is not None and a.window_cached:
            keys = minimum(length, a.window)
        within = workload.phase == "decode" and a.window_cached
        plain = (
            not a.alibi
            and a.indexer is None
            and not (a.masked and workload.phase != "decode")
            and (a.window is None or within or fits(length, a.window))
        )
        if name in found or (whole and plain):
            continue
        hidden = {} if within else what_hides(a)
        if whole and not a.alibi:
            found[name] = seen(b, name, workload.batch, seq, keys, hidden)
            continue
        kind = {
            "batch": workload.batch,
            "seq": seq,
            "keys": keys,
            "dtype": "bool" if a.mask_filled and not whole else b.dtype,
            **hidden,
        }
        found[name] = b.apply("causal_mask", name=name, **kind)
        if a.alibi:
            found[ALIBI] = slopes(a, workload, b, keys, d.slopes_stored)
            if whole or (a.masked and not a.mask_filled):
                found[name] = b.apply("add", found[name], found[ALIBI], name="alibi_mask")
    return found


def what_hides(a: Attention) -> dict[str, Any]:
    """Returns what of a mask hides positions besides those after a query: the layer's window or chunk."""
    if a.causal:
        return {} if a.window is None else {"chunk" if a.chunked else "window": a.window}
    if a.window is None or a.reach is None:
        return {"both_ways": True} if a.window is None else {"both_ways": True, "window": a.window}
    before, after = a.reach
    return {"both_ways": True, "window": before + 1, "ahead": after}


def seen(
    b: Builder, name: str, batch: Dim, seq: Dim | None, keys: Dim, hidden: Mapping[str, Any] | None = None
) -> Value:
    """Returns which keys each query sees, as bools, once for all sequences; each layer's attention makes floats of
    them. `hidden` is what hides more than the positions after a query."""
    mask = b.apply("causal_mask", name=name, seq=seq, keys=keys, dtype="bool", **(hidden or {}))
    return b.apply("expand", mask, name=f"{name}_each", shape=(batch, 1, seq, keys))


def fits(length: Dim, window: Dim) -> bool:
    """Returns whether a length is shorter than a window, when the transformers library makes no mask; a symbol is in
    general no shorter."""
    return less(length, window)


def slopes(a: Attention, workload: Workload, b: Builder, keys: Dim, stored: str = "") -> Value:
    """Returns each head's slope times each key's position, (batch, heads, 1, keys). Softmax cancels the difference from
    slopes times distances. The slopes are a parameter if they are `stored` under a name."""
    if stored:
        known = b.parameter(stored, (a.heads, 1), frozen=True)
        rates = b.apply("reshape", known, name="alibi_slopes", shape=(a.heads, 1, 1))
    else:
        rates = b.apply("constant", name="alibi_slopes", shape=(a.heads, 1, 1), dtype=b.dtype)
    places = b.apply("constant", name="alibi_places", shape=(workload.batch, 1, 1, keys), dtype=b.dtype)
    return b.apply("mul", rates, places, name="alibi_biases")


def rotary_tables(d: Decoder, workload: Workload, b: Builder) -> dict[str, Value]:
    """Returns cosine and sine of each position's angles, made in float32 once for the whole model; and the positions'
    ids, if layers read them or in training."""
    found: dict[str, Value] = {}
    held: list[Value] = []
    for name, width in d.rotary_tables:
        if equal(width, 0):
            continue
        half = exact_div(width, 2, "dimensions rotated / 2")
        if not equal(d.rotary_stored, 0):
            stored, places = stored_tables(d, name, width, workload, b)
            found |= stored
            held.append(places)
            continue
        with b.scope(name):
            places = b.apply("arange", name="positions", batch=1, n=workload.seq_len)
            held.append(places)
            places = b.apply("reshape", places, name="column", shape=(workload.seq_len, 1))
            places = b.apply("cast", places, name="places", dtype="float32")
            rates = b.apply("constant", name="inv_freq", shape=(1, half), dtype="float32")
            angles = b.apply("mul", places, rates, name="freqs")
            if not (d.rotary_complex or d.rotary_halves):
                angles = b.apply("concat", angles, angles, name="emb", dim=-1)
            for function in ("cos", "sin"):
                table = b.apply("scale", b.apply(function, angles, name=function), name=f"{function}_scaled")
                if b.dtype != "float32" and d.rotary_cast and not d.rotary_complex:
                    table = b.apply("cast", table, name=f"{function}_table", dtype=b.dtype)
                found[f"{name}.{function}"] = table
    b.hold(*held)  # the model's function holds the positions
    own = [kind.attention for kind in d.kinds if isinstance(kind.attention, Attention)]
    given = workload.phase == "train" or any(a.position_scaled for a in own)
    return {**found, POSITIONS: held[0]} if held and given else found


def stored_tables(d: Decoder, name: str, width: Dim, workload: Workload, b: Builder) -> tuple[dict[str, Value], Value]:
    """Returns sine and cosine of each pair's angle, (seq, width / 2): parts of the rows that are read of a table; and
    the positions' ids."""
    with b.scope(name):
        stored = b.apply("constant", name="embed_positions", shape=(d.rotary_stored, width), dtype="float32")
        ids = b.apply("arange", name="positions", batch=1, n=workload.seq_len)
        places = b.apply("reshape", ids, name="row", shape=(workload.seq_len,))
        both = b.apply("index_select", stored, places, name="sincos")
        if d.rotary_cast and b.dtype != "float32":
            both = b.apply("cast", both, name="sincos_table", dtype=b.dtype)
        sin, cos = b.apply("split", both, name="sin_and_cos", parts=2)
    return {f"{name}.cos": cos, f"{name}.sin": sin}, ids
