"""Learned queries that ask an image's tokens and each other, once; what they read stands in a text (Kosmos-2)."""

from __future__ import annotations

from graphacct import Builder, Dim, Value, Workload, exact_div
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.layers import linear, merge_heads, split_heads
from graphacct_architectures.tower import Tower, attended


def unit_rows(b: Builder, x: Value) -> Value:
    """Returns each row divided by its length, as torch.nn.functional.normalize does."""
    length = b.apply("clamp", b.apply("vector_norm", x, name="length", dim=-1, keepdim=True), name="length_above_zero")
    y: Value = b.apply("div", x, length, name="unit_rows")
    return y


def read(
    b: Builder,
    workload: Workload,
    seen: Value,
    count: Dim,
    width: Dim,
    heads: Dim,
    *,
    dropout: float,
    query_scaled: bool,
    upcast: bool,
) -> Value:
    """Returns what `count` learned queries read of each image's tokens (images, tokens, …): (images, count, width). The
    builder is in the module's scope. `query_scaled` says that the queries are divided, and not the scores; `upcast`
    that written-out softmax runs in float32."""
    images = seen.spec.shape[0]
    d_head = exact_div(width, heads, "text_config.embed_dim / attention_heads")
    x = linear(b, "dense", seen, width)
    own = b.apply("reshape", b.parameter("latent_query", (count, width)), name="queries_row", shape=(1, count, width))
    queries = b.apply("expand", own, name="queries", shape=(images, count, width))
    keys = b.apply("concat", x, queries, name="tokens_and_queries", dim=1)
    b.hold(queries, keys)
    kind = Tower(1, heads, Mlp(1, ""), "", "", "", ("", ""), attention_dropout=dropout, softmax_upcast=upcast)
    with b.scope("x_attn"):
        q, k, v = (
            split_heads(b, linear(b, f"{label}_proj", y, width), heads, d_head, label)
            for label, y in (("q", queries), ("k", keys), ("v", keys))
        )
        q = b.apply("scale", q, name="q_scaled") if query_scaled else q
        y, _ = attended(kind, workload, b, q, k, v, None)
        return linear(b, "out_proj", merge_heads(b, y), width)
