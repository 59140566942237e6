"""Cross-attention of an encoder's layers, which runs where another model is there to attend to."""

from __future__ import annotations

from typing import Any

from graphacct import Builder, Value, Workload, exact_div
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.layers import dropped, linear, merge_heads, resident, split_heads


def cross(
    e: Encoder, workload: Workload, b: Builder, x: Value, states: Value | None
) -> tuple[Value, tuple[Value, ...]]:
    """Returns the output of attention to `states`, heads side by side, and with eager attention the weights. Without
    them keys and values are in a cache."""
    n, d_head = e.names, exact_div(e.width, e.heads, "hidden_size / num_attention_heads")
    drop = e.attention_dropout if workload.phase == "train" else 0.0
    q = linear(b, f"cross{n.query}", x, e.width)
    with b.scope(f"cross{n.attention}"):
        q = split_heads(b, q, e.heads, d_head, "q")
    k, v = (of_states(e, workload, b, states, name, label) for name, label in ((n.key, "k"), (n.value, "v")))
    with b.scope(f"cross{n.attention}"):
        b.hold(q, k, v)
        if workload.attention == "fused":
            options: dict[str, Any] = {"dropout_p": drop} if drop else {}
            return merge_heads(b, b.apply("scaled_dot_product_attention", q, k, v, name="sdpa", **options)), ()
        scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
        weights = b.apply("softmax", b.apply("scale", scores, name="scale"), name="softmax")
        weights = dropped(b, "dropout", weights, drop, workload)
        return merge_heads(b, b.apply("matmul", weights, v, name="values")), (weights,)


def of_states(e: Encoder, workload: Workload, b: Builder, states: Value | None, name: str, label: str) -> Value:
    """Returns keys or values (batch, heads, places, d_head) of another model's output, projected once and then kept in
    a cache that does not grow."""
    d_head = exact_div(e.width, e.heads, "hidden_size / num_attention_heads")
    if states is not None:
        known = linear(b, f"cross{name}", states, e.width)
    else:
        weight, bias = (
            b.parameter(f"cross{name}.weight", (e.width, e.width if e.cross_width is None else e.cross_width)),
            b.parameter(f"cross{name}.bias", (e.width,)),
        )
        resident(b, f"cross{name}", weight, bias)
    with b.scope(f"cross{e.names.attention}"):
        if states is None:
            shape = (workload.batch, e.heads, workload.encoder_seq_len, d_head)
            known = b.apply("kv_cache", name=f"{label}_cache", shape=shape, dtype=workload.kv_dtype or b.dtype)
        else:
            known = split_heads(b, known, e.heads, d_head, label)
            if workload.phase != "prefill":
                return known
            if workload.kv_dtype not in (None, known.spec.dtype):
                known = b.apply("cast", known, name=f"{label}_as_cached", dtype=workload.kv_dtype)
            known = b.apply("concat", known, name=f"{label}_cached", dim=-2)
        b.emit(b.apply("kv_keep", known, name=f"{label}_kept", grows=False))
        return known


def unused(e: Encoder, b: Builder) -> None:
    """Adds the parameters of cross-attention that has nothing to attend to."""
    n = e.names
    for name in (n.query, n.key, n.value, n.out):
        given = e.cross_width if name in (n.key, n.value) else None
        weight, bias = (
            b.parameter(f"cross{name}.weight", (e.width, e.width if given is None else given)),
            b.parameter(f"cross{name}.bias", (e.width,)),
        )
        resident(b, f"cross{name}", weight, bias)
    norm = f"cross{n.attention_norm}"
    resident(b, norm, b.parameter(f"{norm}.weight", (e.width,)), b.parameter(f"{norm}.bias", (e.width,)))
