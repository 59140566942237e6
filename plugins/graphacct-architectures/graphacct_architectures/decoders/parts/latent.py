"""Multi-head latent attention: each token has one narrow latent, which is expanded to the keys and values of all heads;
the cache holds the latents (DeepSeek-AI, 2024, arXiv:2405.04434, section 2.1).

`latent` does it as the transformers library: keys and values of all cached tokens are expanded in every step.
`absorbed` does it as vLLM, SGLang and DeepSeek's own inference code: since q · (W_UK c) = (W_UKᵀ q) · c, the weight
that expands keys is applied to the queries instead, and the one that expands values to the heads' outputs. All heads
then attend to the cached rows themselves. In a step, each cached token takes 2 · heads · (2 · rank + rotary) FLOPs;
expanding it would alone take 2 · rank · heads · (unrotated + values).
"""

from __future__ import annotations

from collections.abc import Mapping

from graphacct import Builder, Value, Workload
from graphacct_architectures.decoders.parts.description.attention import Attention, Latent
from graphacct_architectures.decoders.parts.names import POSITIONS
from graphacct_architectures.decoders.parts.rotary import scaled_by_position
from graphacct_architectures.layers import as_computed, linear, rms_norm, split_heads, with_cache


def latent(
    a: Attention, kind: Latent, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> tuple[Value, Value, Value, Value, Value | None]:
    """Returns queries, keys and values, (batch, heads, seq, width), what the queries are projected from, and the gate
    of the outputs (batch, seq, heads · values) if there is one. Keys and values include the tokens in the cache.

    As in the transformers library, every step expands all cached latents again.
    """
    raw, source = query_latent(a, kind, b, x)
    heads, gate = query_heads(a, kind, b, raw, source)
    q = heads
    if kind.turned:
        q = b.apply("concat", *both_parts(a, kind, b, heads, tables), name="q_turned", dim=-1)
    if a.position_scaled:
        q = scaled_by_position(a, b, q, tables.get(POSITIONS))
    batch = x.spec.shape[0]
    narrow, key = latents(a, kind, b, x, tables)
    narrow, key = (with_cache(b, part, label, workload) for part, label in ((narrow, "latent"), (key, "k_rope")))
    narrow, key = as_computed(b, narrow, "latent"), as_computed(b, key, "k_rope")
    length = narrow.spec.shape[-2]
    unrotated = a.d_head - a.rotary
    expanded = linear(b, "kv_b_proj", narrow, a.heads * (unrotated + kind.values), bias=False)
    expanded = b.apply("reshape", expanded, name="kv_heads", shape=(batch, length, a.heads, unrotated + kind.values))
    expanded = b.apply("transpose", expanded, name="kv_transposed", dims=(1, 2))
    front, v = b.apply("split", expanded, name="k_and_v", sizes=(unrotated, kind.values))
    key = b.apply("expand", key, name="k_shared", shape=(batch, a.heads, length, a.rotary))
    return q, b.apply("concat", front, key, name="k_turned", dim=-1), v, source, gate


def absorbed(
    a: Attention, kind: Latent, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> Value:
    """Returns the heads' values side by side, (batch, seq, heads · values).

    The cache has one tensor: the latent and the rotated key of each token, in one row. `kv_b_proj.weight` has for each
    head the rows that make its key, then those that make its value.
    """
    heads, _ = query_heads(a, kind, b, *query_latent(a, kind, b, x))
    front, rest = both_parts(a, kind, b, heads, tables)
    batch, seq = x.spec.shape[:2]
    row = b.apply("concat", *latents(a, kind, b, x, tables), name="latent_and_k", dim=-1)
    row = b.apply("reshape", row, name="latent_rows", shape=(batch, seq, kind.rank + a.rotary))
    row = with_cache(b, row, "latent", workload)
    unrotated = a.d_head - a.rotary
    with b.scope("kv_b_proj"):
        weight = b.parameter("weight", (a.heads * (unrotated + kind.values), kind.rank))
        by_head = b.apply("reshape", weight, name="heads", shape=(a.heads, unrotated + kind.values, kind.rank))
        for_keys, for_values = b.apply("split", by_head, name="k_and_v", sizes=(unrotated, kind.values), dim=1)
        front = b.apply("einsum", front, for_keys, name="into_q", equation="b h s n, h n r -> b h s r")
    q = b.apply("concat", front, rest, name="q_turned", dim=-1)
    if a.position_scaled:
        q = scaled_by_position(a, b, q, tables.get(POSITIONS))
    b.hold(q, row)
    causal = workload.phase != "decode"
    drop = {"dropout_p": a.dropout} if workload.phase == "train" and a.dropout else {}
    y = b.apply("latent_attention", q, row, name="sdpa", values=kind.rank, causal=causal, **drop)
    with b.scope("kv_b_proj"):
        y = b.apply("einsum", y, for_values, name="into_o", equation="b h s r, h v r -> b s h v")
    return b.apply("reshape", y, name="merge_heads", shape=(batch, seq, a.heads * kind.values))


def latents(a: Attention, kind: Latent, b: Builder, x: Value, tables: Mapping[str, Value]) -> tuple[Value, Value]:
    """Returns each token's latent (batch, 1, seq, rank) and the key that all heads share, rotated by position
    (batch, 1, seq, rotary)."""
    batch, seq = x.spec.shape[:2]
    both = linear(b, "kv_a_proj_with_mqa", x, kind.rank + a.rotary, bias=a.bias)
    narrow, key = b.apply("split", both, name="latents", sizes=(kind.rank, a.rotary))
    narrow = rms_norm(b, "kv_a_layernorm", narrow, upcast="norm")
    narrow = b.apply("scale", narrow, name="latent_scaled") if kind.scaled else narrow
    narrow = b.apply("reshape", narrow, name="latent_apart", shape=(batch, 1, seq, kind.rank))
    key = b.apply("reshape", key, name="k_apart", shape=(batch, 1, seq, a.rotary))
    return narrow, rotated(b, key, *rotary(a, tables), "k") if kind.turned else key


def rotary(a: Attention, tables: Mapping[str, Value]) -> tuple[Value, Value]:
    """Returns the tables of cosines and sines."""
    return tables[f"{a.rotary_tables}.cos"], tables[f"{a.rotary_tables}.sin"]


def query_latent(a: Attention, kind: Latent, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns what the queries are projected from, before and after its norm: their own latent (batch, seq,
    query_rank), or both times x."""
    if kind.query_rank is None:
        return x, x
    raw = linear(b, "q_a_proj", x, kind.query_rank, bias=a.bias)
    return raw, rms_norm(b, "q_a_layernorm", raw, upcast="norm")


def both_parts(
    a: Attention, kind: Latent, b: Builder, heads: Value, tables: Mapping[str, Value]
) -> tuple[Value, Value]:
    """Returns the two parts of the queries, (batch, heads, seq, width): the first dimensions of each head, and the last
    `rotary`, which are rotated by position."""
    front, rest = b.apply("split", heads, name="q_parts", sizes=(a.d_head - a.rotary, a.rotary))
    if kind.scaled:
        front, rest = (b.apply("scale", part, name=f"q_{n}_scaled") for n, part in enumerate((front, rest)))
    return front, rotated(b, rest, *rotary(a, tables), "q") if kind.turned else rest


def query_heads(a: Attention, kind: Latent, b: Builder, raw: Value, source: Value) -> tuple[Value, Value | None]:
    """Returns the queries before they are rotated, (batch, heads, seq, d_head), and the gate if there is one."""
    if kind.gated:
        batch, seq = source.spec.shape[:2]
        both = b.apply("concat", source, raw, name="q_latents", dim=-1)
        both = linear(b, "q_gate_proj", both, a.heads * (a.d_head + kind.values), bias=False)
        both = b.apply("reshape", both, name="q_and_gate", shape=(batch, seq, a.heads, a.d_head + kind.values))
        q, gate = b.apply("split", both, name="q_gate", sizes=(a.d_head, kind.values))
        q = b.apply("transpose", q, name="q_transposed", dims=(1, 2))
        return q, b.apply("reshape", gate, name="gate", shape=(batch, seq, a.heads * kind.values))
    name = "q_proj" if kind.query_rank is None else "q_b_proj"
    return split_heads(b, linear(b, name, source, a.heads * a.d_head, bias=False), a.heads, a.d_head, "q"), None


def rotated(b: Builder, x: Value, cos: Value, sin: Value, label: str) -> Value:
    """Returns x rotated by position, computed in the tables' dtype and cast back to its own."""
    if cos.spec.dtype == x.spec.dtype:
        return b.apply("rotary_embedding", x, cos, sin, name=f"{label}_rope")
    x_upcast = b.apply("cast", x, name=f"{label}_wide", dtype=cos.spec.dtype)
    x_upcast = b.apply("rotary_embedding", x_upcast, cos, sin, name=f"{label}_rope")
    return b.apply("cast", x_upcast, name=f"{label}_narrowed", dtype=x.spec.dtype)
