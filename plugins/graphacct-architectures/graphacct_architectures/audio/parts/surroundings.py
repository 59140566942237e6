"""Attention of blocks of positions that see their surroundings, with scores that know distances (Gemma 3n)."""

from __future__ import annotations

from graphacct import Builder, Dim, Value, ceil_div, exact_div, frozen, has_value
from graphacct_architectures.audio.gemma4_audio import shifted
from graphacct_architectures.layers import linear

POSITIONS = "relative_position_embedding"


@frozen
class Blocks:
    """Attention over blocks.

    Attributes:
        heads, d_head: Heads and the width of one.
        chunk: Positions of a block.
        left, right: Positions before and after each that it sees.
    """

    heads: Dim
    d_head: Dim
    chunk: Dim
    left: Dim
    right: Dim

    @property
    def context(self) -> Dim:
        """The positions that a block sees."""
        return self.chunk + self.left + self.right


def attention(a: Blocks, b: Builder, x: Value, mask: Value) -> Value:
    """Returns the heads' outputs side by side, (batch, seq, width), without a projection; `mask` (batch, seq) says
    which positions are padding."""
    batch, seq, _ = x.spec.shape
    heads, d, chunk, context = a.heads, a.d_head, a.chunk, a.context
    blocks = ceil_div(seq, chunk)
    b.hold(x)
    q, k, v = (
        b.apply(
            "reshape",
            linear(b, f"{label}_proj", x, heads * d, bias=False),
            name=f"{label}_heads",
            shape=(batch, seq, heads, d),
        )
        for label in "qkv"
    )
    gain = b.apply("softplus", b.parameter("per_dim_scale", (d,)), name="softplus")
    gain = b.apply("reshape", gain, name="gain_apart", shape=(1, 1, 1, d))
    constant = b.apply("constant", name="q_scale", shape=(), dtype=b.dtype)
    q = b.apply("mul", b.apply("mul", q, constant, name="q_scaled"), gain, name="q_by_dim")
    missing = blocks * chunk - seq
    b.hold(q, k, v)
    if not (has_value(missing) and missing == 0):
        q = with_zeros(b, q, "q", 0, missing)
    q = b.apply("reshape", q, name="q_blocks", shape=(batch, blocks, chunk, heads, d))
    k, v = surrounded(a, b, k, "k"), surrounded(a, b, v, "v")
    seen = surrounded(a, b, b.apply("logical_not", mask, name="valid"), "valid")
    seen = b.apply("reshape", seen, name="valid_apart", shape=(batch, 1, blocks, 1, context))
    near = b.apply("constant", name="local_causal_valid_mask", shape=(1, 1, 1, chunk, context), dtype="bool")
    seen = b.apply("logical_and", seen, near, name="seen")
    b.hold(q, k, v, seen)
    with b.scope(POSITIONS):
        scores = scored(a, b, q, k)
    cap = b.apply("constant", name="softcap", shape=(), dtype="float32")
    scores = b.apply("tanh", b.apply("div", scores, cap, name="scores_over_cap"), name="scores_tanh")
    scores = b.apply("mul", scores, cap, name="scores_capped")
    scores = b.apply("masked_fill", scores, seen, name="within_block")
    wide = {} if b.dtype == "float32" else {"dtype": "float32"}
    weights = b.apply("softmax", scores, name="softmax", **wide)
    if wide:
        weights = b.apply("cast", weights, name="weights", dtype=b.dtype)
    b.hold(weights)
    weights = b.apply("permute", weights, name="weights_by_block", dims=(0, 2, 1, 3, 4))
    weights = b.apply("reshape", weights, name="weights_flat", shape=(batch * blocks * heads, chunk, context))
    v = b.apply("permute", v, name="v_by_block", dims=(0, 1, 3, 2, 4))
    v = b.apply("reshape", v, name="v_flat", shape=(batch * blocks * heads, context, d))
    y = b.apply("matmul", weights, v, name="values")
    y = b.apply("reshape", y, name="values_by_block", shape=(batch, blocks, heads, chunk, d))
    y = b.apply("permute", y, name="by_position", dims=(0, 1, 3, 2, 4))
    y = b.apply("reshape", y, name="merge_blocks", shape=(batch, blocks * chunk, heads, d))
    y = b.apply("slice", y, name="without_padding", dim=1, start=0, length=seq)
    merged: Value = b.apply("reshape", y, name="merge_heads", shape=(batch, seq, heads * d))
    return merged


def scored(a: Blocks, b: Builder, q: Value, k: Value) -> Value:
    """Returns scores (batch, heads, blocks, chunk, context) of queries (batch, blocks, chunk, heads, d_head) and keys
    (batch, blocks, context, heads, d_head), each with that of its distance."""
    batch, blocks, chunk, heads, d = q.spec.shape
    width = heads * d
    half = exact_div(width, 2, "hidden_size / 2, sines and cosines")
    places = b.apply("arange", name="places", batch=1, n=a.left + a.right + 1)
    places = b.apply("cast", places, name="places_wide", dtype="float32")
    places = b.apply("reshape", places, name="places_apart", shape=(*places.spec.shape, 1))
    rates = b.apply("constant", name="inv_timescales", shape=(1, 1, half), dtype="float32")
    angles = b.apply("mul", places, rates, name="angles")
    table = b.apply("concat", b.apply("sin", angles, name="sin"), b.apply("cos", angles, name="cos"), name="both")
    if b.dtype != "float32":
        table = b.apply("cast", table, name="narrowed", dtype=b.dtype)
    distant = linear(b, "pos_proj", table, width, bias=False)
    count = distant.spec.shape[1]
    distant = b.apply("reshape", distant, name="distances", shape=(count, heads, d))
    q = b.apply("permute", q, name="q_by_head", dims=(0, 3, 1, 2, 4))
    scores = b.apply("matmul", q, b.apply("permute", k, name="k_by_head", dims=(0, 3, 1, 4, 2)), name="scores")
    flat = b.apply("reshape", q, name="q_flat", shape=(batch, heads, blocks * chunk, d))
    by_distance = b.apply("permute", distant, name="distances_by_head", dims=(1, 2, 0))
    near = b.apply("matmul", flat, by_distance, name="distance_scores")
    near = b.apply("reshape", near, name="distance_blocks", shape=(batch, heads, blocks, chunk, count))
    found: Value = b.apply("add", scores, shifted(b, near, a.context), name="with_distances")
    return found


def surrounded(a: Blocks, b: Builder, x: Value, label: str) -> Value:
    """Returns what each block sees of x (batch, seq, …), (batch, blocks, context, …): a copy in which positions occur
    several times."""
    x = with_zeros(b, x, label, a.left, a.right + a.chunk - 1)
    rank = len(x.spec.shape)
    x = b.apply("unfold", x, name=f"{label}_windows", dimension=1, size=a.context, step=a.chunk)
    if rank > 2:
        x = b.apply("permute", x, name=f"{label}_windows_second", dims=(0, 1, rank, *range(2, rank)))
    y: Value = b.apply("contiguous", x, name=f"{label}_surrounded")
    return y


def with_zeros(b: Builder, x: Value, label: str, before: Dim, after: Dim) -> Value:
    """Returns x (batch, seq, …) with zeros before and after it."""
    batch, _, *rest = x.spec.shape
    parts = [x]
    for name, count in (("before", before), ("after", after)):
        if has_value(count) and count == 0:
            continue
        zeros = b.apply("full", name=f"{label}_{name}", shape=(batch, count, *rest), dtype=x.spec.dtype)
        parts.insert(0 if name == "before" else len(parts), zeros)
    return b.apply("concat", *parts, name=f"{label}_padded", dim=1) if len(parts) > 1 else x
