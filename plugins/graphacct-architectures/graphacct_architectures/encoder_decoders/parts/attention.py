"""Self-attention within a stack, and cross-attention from the decoder to the encoder's output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import Builder, Dim, Value, Workload, equal, exact_div
from graphacct_architectures.encoder_decoders.parts.description import Attention
from graphacct_architectures.layers import dropped, linear, merge_heads, resident, split_heads, with_cache

STATES, MASK, BIASES, CROSS_BIASES = "states", "causal_mask", "position_bias", "cross_position_bias"
COS, SIN = "rotary_emb.cos", "rotary_emb.sin"
"""The names of a layer's inputs besides the stream: the encoder's output, the mask, the scores' biases, and the cosines
and sines of positions."""


def attention(
    a: Attention, causal: bool, workload: Workload, b: Builder, x: Value, given: Mapping[str, Value]
) -> tuple[Value, ...]:
    """Adds attention over x (batch, seq, width); the builder is in its scope. Returns the output and, with eager
    attention, the weights."""
    width = x.spec.shape[-1]
    q = linear(b, a.q, x, a.heads * a.d_head, bias=a.bias)
    if a.query_scaled:
        q = b.apply("scale", q, name="q_scaled")
    q = heads(a, b, q, "q")
    if a.cross:
        k, v = (of_encoder(a, workload, b, width, given.get(STATES), label) for label in "kv")
    else:
        k, v = (heads(a, b, projected(a, b, x, label), label) for label in "kv")
        if not equal(a.rotary, 0):
            q, k = (turned(a, b, part, given, label) for part, label in ((q, "q"), (k, "k")))
        if causal:
            k, v = (with_cache(b, part, label, workload) for part, label in ((k, "k"), (v, "v")))
    b.hold(x, q, k, v)
    if not equal(a.padded, 0):
        q, k, v = (
            b.apply("pad", part, name=f"{label}_padded", padding=((0, a.padded),))
            for part, label in ((q, "q"), (k, "k"), (v, "v"))
        )
    core = fused if workload.attention == "fused" and not a.written_out else eager
    y, *weights = core(a, causal, workload, b, q, k, v, given)
    if not equal(a.padded, 0):
        y = b.apply("slice", y, name="values_cut", dim=-1, start=0, length=a.d_head)
    return linear(b, a.out, merge_heads(b, y), width, bias=a.biased_out), *weights


def of_distances(b: Builder, q: Value, vectors: Value) -> Value:
    """Returns the products of queries (batch, heads, seq, d_head) and the vectors of their distances to each key, (seq,
    keys, d_head): (batch, heads, seq, keys). Shaw et al., 2018 (arXiv:1803.02155)."""
    batch, heads, seq, d_head = q.spec.shape
    keys = vectors.spec.shape[1]
    rows = b.apply("reshape", q, name="queries_flat", shape=(batch * heads, seq, d_head))
    rows = b.apply("transpose", rows, name="queries_first", dims=(0, 1))
    vectors = b.apply("transpose", vectors, name="distances_last", dims=(-2, -1))
    scores = b.apply("matmul", rows, vectors, name="distance_scores")
    scores = b.apply("transpose", scores, name="distance_scores_first", dims=(0, 1))
    return b.apply("reshape", scores, name="distances", shape=(batch, heads, seq, keys))


def turns(rotary: Dim, count: Dim, b: Builder) -> dict[str, Value]:
    """Returns the cosines and sines of `count` positions, (count, rotary), which are computed in float32."""
    half = exact_div(rotary, 2, "dimensions rotated / 2")
    with b.scope("rotary_emb"):
        places = b.apply("arange", name="positions", batch=1, n=count)
        places = b.apply("reshape", places, name="column", shape=(count, 1))
        places = b.apply("cast", places, name="places", dtype="float32")
        rates = b.apply("constant", name="inv_freq", shape=(1, half), dtype="float32")
        angles = b.apply("mul", places, rates, name="freqs")
        angles = b.apply("concat", angles, angles, name="emb", dim=-1)
        found = {}
        for name, function in ((COS, "cos"), (SIN, "sin")):
            table = b.apply("scale", b.apply(function, angles, name=function), name=f"{function}_scaled")
            found[name] = table if b.dtype == "float32" else b.apply("cast", table, name=function, dtype=b.dtype)
    return found


def turned(a: Attention, b: Builder, x: Value, given: Mapping[str, Value], label: str) -> Value:
    """Returns x (batch, heads, seq, d_head) with the first `rotary` dimensions of each head rotated by position."""
    if equal(a.rotary, a.d_head):
        return b.apply("rotary_embedding", x, given[COS], given[SIN], name=f"{label}_rope", composed=True)
    front, rest = b.apply("split", x, name=f"{label}_parts", sizes=(a.rotary, a.d_head - a.rotary))
    front = b.apply("rotary_embedding", front, given[COS], given[SIN], name=f"{label}_rope", composed=True)
    return b.apply("concat", front, rest, name=f"{label}_turned", dim=-1)


def projected(a: Attention, b: Builder, x: Value, label: str) -> Value:
    """Returns keys (`k`) or values (`v`) of x, all heads together."""
    name, bias = projection(a, label)
    return linear(b, name, x, a.heads * a.d_head, bias=bias)


def projection(a: Attention, label: str) -> tuple[str, bool]:
    """Returns the name of the projection of keys or values, and whether it has a bias."""
    return (a.k, a.bias and a.k_bias) if label == "k" else (a.v, a.bias)


def heads(a: Attention, b: Builder, x: Value, label: str) -> Value:
    """Returns x split into heads, (batch, heads, seq, d_head)."""
    x = split_heads(b, x, a.heads, a.d_head, label)
    return b.apply("contiguous", x, name=f"{label}_together") if a.contiguous else x


def of_encoder(a: Attention, workload: Workload, b: Builder, width: Dim, states: Value | None, label: str) -> Value:
    """Returns keys or values of the encoder's output: projected once, then kept in a cache that does not grow."""
    if states is not None:
        known = heads(a, b, projected(a, b, states, label), label)
        if workload.phase != "prefill":
            return known
        if workload.kv_dtype not in (None, known.spec.dtype):
            known = b.apply("cast", known, name=f"{label}_as_cached", dtype=workload.kv_dtype)
        known = b.apply("concat", known, name=f"{label}_cached", dim=-2)
    else:
        set_aside(a, b, width, label)
        shape = (workload.batch, a.heads, workload.encoder_seq_len, a.d_head)
        known = b.apply("kv_cache", name=f"{label}_cache", shape=shape, dtype=workload.kv_dtype or b.dtype)
    b.emit(b.apply("kv_keep", known, name=f"{label}_kept", grows=False))
    return known


def set_aside(a: Attention, b: Builder, width: Dim, label: str) -> None:
    """Adds the parameters of a projection that does not run, because its results are in the cache."""
    name, bias = projection(a, label)
    inner = a.heads * a.d_head
    rest = [b.parameter(f"{name}.bias", (inner,))] if bias else []
    resident(b, name, b.parameter(f"{name}.weight", (inner, width if a.kv_width is None else a.kv_width)), *rest)


def unused(a: Attention, b: Builder, width: Dim) -> None:
    """Adds the parameters of attention to an encoder that is not there; the builder is in its scope."""
    inner = a.heads * a.d_head
    for label in "kv":
        set_aside(a, b, width, label)
    for name, shape in ((a.q, (inner, width)), (a.out, (width, inner))):
        biased = a.biased_out if name == a.out else a.bias
        rest = [b.parameter(f"{name}.bias", shape[:1])] if biased else []
        resident(b, name, b.parameter(f"{name}.weight", shape), *rest)


def fused(
    a: Attention,
    causal: bool,
    workload: Workload,
    b: Builder,
    q: Value,
    k: Value,
    v: Value,
    given: Mapping[str, Value],
) -> tuple[Value, ...]:
    """Adds one operator. Its mask holds the scores' biases; if causal too, each layer makes its own."""
    causal = causal and workload.phase != "decode"
    rest: tuple[Value, ...] = ()
    if a.biased:
        biases = given[CROSS_BIASES if a.cross else BIASES]
        if causal:
            hidden = b.apply("causal_mask", name="mask", seq=q.spec.shape[-2], keys=k.spec.shape[-2], dtype="bool")
            biases = b.apply("masked_fill", biases, hidden, name="masked_biases")
        rest = (b.apply("contiguous", biases, name="biases"),)
    options: dict[str, Any] = {"causal": causal and not rest}
    if workload.phase == "train" and a.dropout:
        options["dropout_p"] = a.dropout
    if not a.scaled:
        options["scale"] = 1
    return (b.apply("scaled_dot_product_attention", q, k, v, *rest, name="sdpa", **options),)


def eager(
    a: Attention,
    causal: bool,
    workload: Workload,
    b: Builder,
    q: Value,
    k: Value,
    v: Value,
    given: Mapping[str, Value],
) -> tuple[Value, ...]:
    """Adds scores, biases, mask, softmax and values as separate nodes. The scores are multiplied even by 1, as in the
    transformers library, but by a class that knows no other form and has scaled the queries."""
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
    if not (a.written_out and a.query_scaled):
        scores = b.apply("scale", scores, name="scale")
    if a.by_query:
        scores = b.apply("add", scores, of_distances(b, q, given[a.by_query]), name="distances_added")
    if a.biased:
        scores = b.apply("add", scores, given[CROSS_BIASES if a.cross else BIASES], name="biases")
    if causal:
        scores = b.apply("add", scores, given[MASK], name="mask")
    weights = b.apply("softmax", scores, name="softmax")
    weights = dropped(b, "attn_dropout", weights, a.dropout, workload)
    return b.apply("matmul", weights, v, name="values"), weights
