"""Rotary positions in BERT's layers: tables that all layers share, or that are made with the model."""

from __future__ import annotations

from graphacct import Builder, Dim, Value, Workload, exact_div


def angles(workload: Workload, b: Builder, width: Dim) -> tuple[Value, Value]:
    """Returns cosine and sine (seq, width) of each position's angles, made in float32 once for all layers."""
    half = exact_div(width, 2, "head width / 2")
    places = b.apply("arange", name="positions", batch=1, n=workload.seq_len)
    places = b.apply("reshape", places, name="column", shape=(workload.seq_len, 1))
    places = b.apply("cast", places, name="places", dtype="float32")
    rates = b.apply("constant", name="inv_freq", shape=(1, half), dtype="float32")
    turned = b.apply("mul", places, rates, name="freqs")
    turned = b.apply("concat", turned, turned, name="emb", dim=-1)
    tables = []
    for function in ("cos", "sin"):
        table = b.apply("scale", b.apply(function, turned, name=function), name=f"{function}_scaled")
        tables.append(
            b.apply("cast", table, name=f"{function}_table", dtype=b.dtype) if b.dtype != "float32" else table
        )
    return tables[0], tables[1]


def turned_wide(b: Builder, x: Value, cos: Value, sin: Value, label: str) -> Value:
    """Returns x (batch, heads, seq, d_head) rotated in float32, in its own dtype."""
    dtype = x.spec.dtype
    if dtype != "float32":
        x = b.apply("cast", x, name=f"{label}_upcast", dtype="float32")
    x = b.apply("rotary_embedding", x, cos, sin, name=f"{label}_rope", composed=True)
    return x if dtype == "float32" else b.apply("cast", x, name=f"{label}_narrowed", dtype=dtype)
