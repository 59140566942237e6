"""Multi-head latent attention: each token has one narrow latent, which is expanded to the keys and values of all heads;
the cache holds the latents (DeepSeek-AI, 2024, arXiv:2405.04434, section 2.1)."""

from __future__ import annotations

from collections.abc import Mapping

from graphacct import Builder, Value, Workload
from graphacct_architectures.decoders.parts.description import Attention, Latent
from graphacct_architectures.layers import as_computed, linear, rms_norm, split_heads, with_cache


def latent(
    a: Attention, kind: Latent, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> tuple[Value, Value, Value]:
    """Returns queries, keys and values, (batch, heads, seq, width). Keys and values include the tokens in the cache.

    As in the transformers library, every step expands all cached latents again.
    """
    cos, sin = tables[f"{a.rotary_tables}.cos"], tables[f"{a.rotary_tables}.sin"]
    q = queries(a, kind, b, x, cos, sin)
    batch, seq = x.spec.shape[:2]
    both = linear(b, "kv_a_proj_with_mqa", x, kind.rank + a.rotary, bias=a.bias)
    narrow, key = b.apply("split", both, name="latents", sizes=(kind.rank, a.rotary))
    narrow = rms_norm(b, "kv_a_layernorm", narrow, upcast="norm")
    narrow = b.apply("reshape", narrow, name="latent_apart", shape=(batch, 1, seq, kind.rank))
    key = b.apply("reshape", key, name="k_apart", shape=(batch, 1, seq, a.rotary))
    key = rotated(b, key, cos, sin, "k")
    narrow, key = (with_cache(b, part, label, workload) for part, label in ((narrow, "latent"), (key, "k_rope")))
    narrow, key = as_computed(b, narrow, "latent"), as_computed(b, key, "k_rope")
    length = narrow.spec.shape[-2]
    unrotated = a.d_head - a.rotary
    expanded = linear(b, "kv_b_proj", narrow, a.heads * (unrotated + kind.values), bias=False)
    expanded = b.apply("reshape", expanded, name="kv_heads", shape=(batch, length, a.heads, unrotated + kind.values))
    expanded = b.apply("transpose", expanded, name="kv_transposed", dims=(1, 2))
    front, v = b.apply("split", expanded, name="k_and_v", sizes=(unrotated, kind.values))
    key = b.apply("expand", key, name="k_shared", shape=(batch, a.heads, length, a.rotary))
    return q, b.apply("concat", front, key, name="k_turned", dim=-1), v


def queries(a: Attention, kind: Latent, b: Builder, x: Value, cos: Value, sin: Value) -> Value:
    """Returns queries (batch, heads, seq, d_head), with the last `rotary` dimensions of each head rotated by
    position."""
    if kind.query_rank is None:
        flat = linear(b, "q_proj", x, a.heads * a.d_head, bias=False)
    else:
        narrow = rms_norm(b, "q_a_layernorm", linear(b, "q_a_proj", x, kind.query_rank, bias=a.bias), upcast="norm")
        flat = linear(b, "q_b_proj", narrow, a.heads * a.d_head, bias=False)
    heads = split_heads(b, flat, a.heads, a.d_head, "q")
    front, rest = b.apply("split", heads, name="q_parts", sizes=(a.d_head - a.rotary, a.rotary))
    rest = rotated(b, rest, cos, sin, "q")
    return b.apply("concat", front, rest, name="q_turned", dim=-1)


def rotated(b: Builder, x: Value, cos: Value, sin: Value, label: str) -> Value:
    """Returns x rotated by position, computed in the tables' dtype and cast back to its own."""
    if cos.spec.dtype == x.spec.dtype:
        return b.apply("rotary_embedding", x, cos, sin, name=f"{label}_rope")
    x_upcast = b.apply("cast", x, name=f"{label}_wide", dtype=cos.spec.dtype)
    x_upcast = b.apply("rotary_embedding", x_upcast, cos, sin, name=f"{label}_rope")
    return b.apply("cast", x_upcast, name=f"{label}_narrowed", dtype=x.spec.dtype)
