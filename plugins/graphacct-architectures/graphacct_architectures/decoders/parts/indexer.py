"""Sparse attention with an indexer: small heads score every key, and each query sees the keys with the best scores
(DeepSeek-AI, "DeepSeek-V3.2", 2025, arXiv:2512.02556, section 2.1).

As in the transformers library, nothing is saved: the scores of all keys are computed, the chosen keys become a mask,
and attention computes every score and value under it. Serving engines gather the chosen keys instead. The indexer runs
without gradients.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphacct import Builder, Dim, Parameter, Value, Workload, minimum
from graphacct_architectures.decoders.parts.description.attention import Attention, Indexer
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.names import CHOSEN, mask_name
from graphacct_architectures.layers import as_computed, with_cache


def handed_on(d: Decoder, workload: Workload, b: Builder) -> dict[str, Value]:
    """Returns what the first layer is given of what layers hand on beside the stream: a stand-in, which is in no
    memory, for the keys that no layer chose yet."""
    for kind in d.kinds:
        chosen = getattr(kind.attention, "indexer", None)
        if chosen is not None and chosen.handed_on:
            shape = (workload.batch, workload.seq_len, minimum(chosen.top, workload.positions))
            return {CHOSEN: b.apply("constant", name="none_chosen", shape=shape, dtype="int32")}
    return {}


def with_chosen(
    a: Attention,
    kind: Indexer,
    workload: Workload,
    b: Builder,
    x: Value,
    source: Value,
    tables: Mapping[str, Value],
) -> Mapping[str, Value]:
    """Returns the tables with a mask that also hides the keys that were not chosen. `source` is the queries' latent
    (batch, seq, rank). Keys that are handed on replace those in `tables`."""
    name = mask_name(a, workload)
    mask = tables[name]
    if kind.own:
        with b.scope(kind.module):
            ids = chosen(a, kind, workload, b, x, source, mask, tables)
        if kind.handed_on:
            assert isinstance(tables, dict)  # each layer has tables of its own
            tables[CHOSEN] = ids
    else:
        ids = tables[CHOSEN]
    batch, seq = x.spec.shape[:2]
    keys = mask.spec.shape[-1]
    hidden = b.apply("full", name="all_hidden", shape=(batch, seq, keys), dtype="bool")
    places = b.apply("cast", ids, name="chosen_places", dtype="int64")
    hidden = b.apply("scatter", hidden, places, name="hidden", dim=-1)
    hidden = b.apply("reshape", hidden, name="hidden_apart", shape=(batch, 1, seq, keys))
    b.hold(hidden)
    if mask.spec.dtype == "bool":
        mask = b.apply("logical_and", mask, b.apply("logical_not", hidden, name="shown"), name="sparse_mask")
    else:
        mask = b.apply("masked_fill", mask, hidden, name="sparse_mask")
    return {**tables, name: mask}


def chosen(
    a: Attention,
    kind: Indexer,
    workload: Workload,
    b: Builder,
    x: Value,
    source: Value,
    mask: Value,
    tables: Mapping[str, Value],
) -> Value:
    """Returns the indices of the keys that each query sees, (batch, seq, keys); the builder is in the indexer's scope.

    A key's score is Σ w ReLU(q · k) over the indexer's heads, in float32; the weights w are projected from x.
    """
    batch, seq = x.spec.shape[:2]
    if workload.phase == "train":
        x, source = (b.apply("detach", part, name=f"{word}_known") for part, word in ((x, "x"), (source, "source")))
    q = ungraded(workload, b, "wq_b", source, kind.heads * kind.d_head)
    q = b.apply("reshape", q, name="q_heads", shape=(batch, seq, kind.heads, kind.d_head))
    k = ungraded(workload, b, "wk", x, kind.d_head)
    stored = "float32" if kind.stored_wide else None
    norm = (known(workload, b, f"k_norm.{word}", (kind.d_head,), stored) for word in ("weight", "bias"))
    if kind.stored_wide:
        k = wide(b, k, "k_in_wide")
    k = b.apply("layer_norm", k, *norm, name="k_norm")
    k = k if k.spec.dtype == x.spec.dtype else b.apply("cast", k, name="k_narrowed", dtype=x.spec.dtype)
    k = b.apply("reshape", k, name="k_apart", shape=(batch, seq, 1, kind.d_head))
    q, k = (turned(a, kind, b, part, tables, label) for part, label in ((q, "q"), (k, "k")))
    k = b.apply("reshape", k, name="k_rows", shape=(batch, seq, kind.d_head))
    k = as_computed(b, with_cache(b, k, "k", workload), "k")
    b.hold(q, k)
    keys = k.spec.shape[1]
    q = wide(b, q, "q_wide")
    k = wide(b, b.apply("transpose", k, name="k_last", dims=(1, 2)), "k_wide")
    k = b.apply("reshape", k, name="k_of_all", shape=(batch, 1, kind.d_head, keys))
    scores = b.apply("scale", b.apply("matmul", q, k, name="scores"), name="scale")
    scores = b.apply("relu", scores, name="relu")
    dtype = "float32" if kind.stored_wide or b.dtype == "float16" else None
    weights = ungraded(workload, b, "weights_proj", x, kind.heads, dtype=dtype)
    weights = b.apply("scale", wide(b, weights, "weights_wide"), name="weights_scaled")
    b.hold(scores, weights)
    row = b.apply("reshape", weights, name="weights_row", shape=(batch, seq, 1, kind.heads))
    scores = b.apply("matmul", row, scores, name="summed")
    scores = b.apply("reshape", scores, name="of_each_key", shape=(batch, seq, keys))
    mask = b.apply("reshape", mask, name="mask_of_all", shape=(batch, seq, keys))
    if mask.spec.dtype == "bool":
        scores = b.apply("masked_fill", scores, b.apply("logical_not", mask, name="not_seen"), name="masked")
    else:
        scores = b.apply("add", scores, mask, name="masked")
    _, ids = b.apply("topk", scores, name="topk", k=minimum(kind.top, keys))
    return b.apply("cast", ids, name="chosen", dtype="int32")


def turned(a: Attention, kind: Indexer, b: Builder, x: Value, tables: Mapping[str, Value], label: str) -> Value:
    """Returns heads (batch, seq, heads, d_head) with their first dimensions rotated by position, or their last."""
    sizes = (a.rotary, kind.d_head - a.rotary)
    parts = b.apply("split", x, name=f"{label}_parts", sizes=sizes[::-1] if kind.last else sizes)
    front, rest = parts[::-1] if kind.last else parts
    front = b.apply("transpose", front, name=f"{label}_by_head", dims=(1, 2))
    cos, sin = (tables[f"{a.rotary_tables}.{word}"] for word in ("cos", "sin"))
    composed = {"composed": True} if kind.halves else {}
    front = b.apply("rotary_embedding", front, cos, sin, name=f"{label}_rope", **composed)
    front = b.apply("transpose", front, name=f"{label}_by_token", dims=(1, 2))
    return b.apply("concat", *((rest, front) if kind.last else (front, rest)), name=f"{label}_turned", dim=-1)


def ungraded(workload: Workload, b: Builder, name: str, x: Value, width: Dim, dtype: str | None = None) -> Value:
    """Returns x projected by a weight that gets no gradient, in the weight's dtype."""
    weight = known(workload, b, f"{name}.weight", (width, x.spec.shape[-1]), dtype)
    if dtype is not None and x.spec.dtype != dtype:
        x = b.apply("cast", x, name=f"{name}_in", dtype=dtype)
    return b.apply("linear", x, weight, name=name)


def known(
    workload: Workload, b: Builder, name: str, shape: tuple[Dim, ...], dtype: str | None = None
) -> Value | Parameter:
    """Returns a parameter that is read without gradients: itself, or in training a view without its history."""
    parameter = b.parameter(name, shape, dtype)
    if workload.phase != "train":
        return parameter
    return b.apply("detach", parameter, name=f"{name.replace('.', '_')}_known")


def wide(b: Builder, x: Value, name: str) -> Value:
    """Returns x in float32: itself, or a copy."""
    return x if x.spec.dtype == "float32" else b.apply("cast", x, name=name, dtype="float32")
