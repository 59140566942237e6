"""The gated delta rule on heads: everything in float32, queries and keys of unit length, then chunks or one step."""

from graphacct import Builder, Dim, Value, Workload, ceil_div, equal, exact_div
from graphacct_mamba.state import keep

CHUNK = 64
"""Positions of a chunk."""


def in_heads(b: Builder, x: Value, heads: Dim, width: Dim, label: str) -> Value:
    """Returns x (batch, seq, heads · width) as (batch, seq, heads, width)."""
    return b.apply("reshape", x, name=f"{label}_heads", shape=(*x.spec.shape[:2], heads, width))


def delta_rule(b: Builder, q: Value, k: Value, v: Value, decay: Value, beta: Value, workload: Workload) -> Value:
    """Returns the rule's output (batch, seq, heads, width of values) in the dtype of the computation.

    q and k are (batch, seq, heads, width), with as many heads as v or fewer, v the same with its own width, decay and
    beta (batch, seq, heads).
    """
    batch, _, heads, width = v.spec.shape
    q, k = (shared(b, part, heads, label) for part, label in ((q, "q"), (k, "k")))
    q, k, v, beta, decay = (
        wide(b, part, label) for part, label in ((q, "q"), (k, "k"), (v, "v"), (beta, "beta"), (decay, "decay"))
    )
    q, k = (unit(b, part, label) for part, label in ((q, "q"), (k, "k")))
    q = b.apply("scale", q, name="q_scaled")
    if workload.phase == "decode":
        shape = (batch, heads, k.spec.shape[-1], width)
        state = b.apply("recurrent_state", name="delta_state", shape=shape, dtype="float32")
        y, last = b.apply("delta_step", q, k, v, decay, beta, state, name="delta")
    else:
        y, last = in_chunks(b, q, k, v, decay, beta)
    if workload.phase in ("prefill", "decode"):
        keep(b, last, "delta")
    y = b.apply("transpose", y, name="by_position", dims=(1, 2))
    operator = ("contiguous", {}) if b.dtype == "float32" else ("cast", {"dtype": b.dtype})
    return b.apply(operator[0], y, name="delta_out", **operator[1])


def shared(b: Builder, x: Value, heads: Dim, label: str) -> Value:
    """Returns x (batch, seq, heads, width) with a copy of each head for each of the heads of values that share it."""
    batch, seq, own, width = x.spec.shape
    if equal(own, heads):
        return x
    times = exact_div(heads, own, "linear_num_value_heads / linear_num_key_heads")
    x = b.apply("reshape", x, name=f"{label}_apart", shape=(batch, seq, own, 1, width))
    x = b.apply("expand", x, name=f"{label}_expanded", shape=(batch, seq, own, times, width))
    return b.apply("reshape", x, name=f"{label}_repeated", shape=(batch, seq, heads, width))


def wide(b: Builder, x: Value, label: str) -> Value:
    """Returns x (batch, seq, heads, …) as (batch, heads, seq, …) in float32: a view, or a copy in that dtype."""
    x = b.apply("transpose", x, name=f"{label}_by_head", dims=(1, 2))
    if x.spec.dtype == "float32":
        return x
    return b.apply("cast", x, name=f"{label}_wide", dtype="float32")


def unit(b: Builder, x: Value, label: str) -> Value:
    """Returns x with vectors of unit length."""
    total = b.apply("sum", b.apply("mul", x, x, name=f"{label}_squares"), name=f"{label}_total", dim=-1, keepdim=True)
    total = b.apply("shift", total, name=f"{label}_above_zero")
    return b.apply("mul", x, b.apply("rsqrt", total, name=f"{label}_length"), name=f"{label}_unit")


def in_chunks(b: Builder, q: Value, k: Value, v: Value, decay: Value, beta: Value) -> tuple[Value, Value]:
    """Returns the output (batch, heads, seq, width) and the last state, from chunks of CHUNK positions, the last one
    padded."""
    batch, heads, seq, width = v.spec.shape
    count = ceil_div(seq, CHUNK)
    q, k, v, beta, decay = (
        padded(b, part, count * CHUNK, label)
        for part, label in ((q, "q"), (k, "k"), (v, "v"), (beta, "beta"), (decay, "decay"))
    )
    column = b.apply("reshape", beta, name="beta_column", shape=(*beta.spec.shape, 1))
    v = b.apply("mul", v, column, name="v_beta")
    k_beta = b.apply("mul", k, column, name="k_beta")
    q, k, k_beta, v, decay = (
        b.apply("reshape", part, name=f"{label}_chunks", shape=(batch, heads, count, CHUNK, *part.spec.shape[3:]))
        for part, label in ((q, "q"), (k, "k"), (k_beta, "k_beta"), (v, "v_beta"), (decay, "decay"))
    )
    several = 0 if equal(count, 1) else count
    y, last = b.apply("delta_chunks", q, k, k_beta, v, decay, name="delta", several=several)
    y = b.apply("reshape", y, name="chunks_joined", shape=(batch, heads, count * CHUNK, width))
    if not equal(seq, count * CHUNK):
        y = b.apply("slice", y, name="unpadded", dim=2, start=0, length=seq)
    return y, last


def padded(b: Builder, x: Value, length: Dim, label: str) -> Value:
    """Returns x (batch, heads, seq, …) with zeros behind its positions, up to `length`; a copy even if there are
    none."""
    seq, rest = x.spec.shape[2], x.spec.shape[3:]
    if equal(seq, length):
        return b.apply("clone", x, name=f"{label}_padded")
    return b.apply("pad", x, name=f"{label}_padded", padding=((0, length - seq), *((0, 0) for _ in rest)))
