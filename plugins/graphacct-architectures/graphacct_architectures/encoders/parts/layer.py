"""A layer of an encoder of texts: attention and a feed-forward network, with norms after both or before both."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from graphacct import Builder, Dim, Value, Workload, equal, exact_div
from graphacct_architectures.encoders.parts.crossing import cross, unused
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.layers import activation, dropped, layer_norm, linear, merge_heads, split_heads, with_cache

Attend: TypeAlias = Callable[..., tuple[Value, tuple[Value, ...]]]
Network: TypeAlias = Callable[[Encoder, Workload, Builder, Value], Value]


def layer(
    e: Encoder,
    workload: Workload,
    b: Builder,
    x: Value,
    *tables: Value,
    attend: Attend | None = None,
    network: Network | None = None,
    crossing: bool = False,
) -> Value:
    """Applies attention, then the feed-forward network; each output is added to its input. Norms are before both
    modules, or after both sums. `attend` is attention, if it is not `attention`, and `network` the network if it is not
    `feed_forward`; if `crossing`, the last table is what cross-attention attends to."""
    b.hold(x)
    states = tables[-1] if crossing else None
    tables = tables[:-1] if crossing else tables
    x = attended(e, workload, b, x, partial(attend or attention, e, workload), tables)
    b.hold(x)
    if e.crossed:
        if states is None and workload.phase != "decode":
            unused(e, b)
        else:
            x = attended(e, workload, b, x, partial(cross, e, workload), (states,), "cross")
            b.hold(x)
    return networked(e, workload, b, x, network or feed_forward)


def networked(e: Encoder, workload: Workload, b: Builder, x: Value, network: Network) -> Value:
    """Returns the stream with the network's output added, normalized before or after it."""
    n = e.names
    y = layer_norm(b, n.norm, x) if e.norm_first else x
    y = network(e, workload, b, y)
    y = dropped(b, f"{n.down}_dropout", y, e.dropout if e.network_dropped else 0.0, workload)
    y = b.apply("add", y, x, name=f"{n.label}output_residual")
    return y if e.norm_first else layer_norm(b, n.norm, y)


def feed_forward(e: Encoder, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the network's output."""
    y = activation(b, e.activation, linear(b, e.names.up, x, e.inner), e.names.act)
    b.hold(y)
    return linear(b, e.names.down, y, e.width)


def attended(
    e: Encoder,
    workload: Workload,
    b: Builder,
    x: Value,
    attend: Attend,
    given: tuple[Value | None, ...],
    kind: str = "",
) -> Value:
    """Returns the stream with attention's output added, normalized before or after it. `kind` begins the names of its
    modules."""
    norm = f"{kind}{e.names.attention_norm}"
    y, weights = attend(b, layer_norm(b, norm, x) if e.norm_first else x, *given)
    b.hold(*weights)
    return added(e, workload, b, y, x, kind)


def added(e: Encoder, workload: Workload, b: Builder, y: Value, x: Value, kind: str = "") -> Value:
    """Returns the stream x with attention's output y projected and added, and normalized unless norms come first."""
    out, norm = f"{kind}{e.names.out}", f"{kind}{e.names.attention_norm}"
    y = linear(b, out, y, e.width)
    y = dropped(b, f"{out}_dropout", y, e.dropout if e.output_dropped else 0.0, workload)
    x = b.apply("add", y, x, name=f"{e.names.label}{kind}attention_residual")
    return x if e.norm_first else layer_norm(b, norm, x)


def attention(
    e: Encoder, workload: Workload, b: Builder, x: Value, table: Value | None = None
) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side, and with eager attention the weights."""
    q, k, v = projected(e, b, x)
    with b.scope(e.names.attention):
        return core(e, workload, b, q, k, v, table)


def apart(e: Encoder, workload: Workload, tables: tuple[Value, ...]) -> tuple[Value | None, tuple[Value, ...]]:
    """Returns the mask of causal attention, if there is one, and the other tables of a layer."""
    masked = e.causal and (workload.attention == "eager" or e.written_out)
    return (tables[0], tables[1:]) if masked else (None, tables)


def head_width(e: Encoder) -> Dim:
    """Returns the width of a head."""
    return exact_div(e.width, e.heads, "hidden_size / num_attention_heads")


def projected(e: Encoder, b: Builder, x: Value) -> tuple[Value, Value, Value]:
    """Returns queries, keys and values (batch, heads, seq, d_head)."""
    n, width = e.names, head_width(e)
    parts = [linear(b, name, x, e.width) for name in (n.query, n.key, n.value)]
    with b.scope(n.attention):
        q, k, v = (split_heads(b, part, e.heads, width, label) for part, label in zip(parts, "qkv", strict=True))
    return q, k, v


def core(
    e: Encoder,
    workload: Workload,
    b: Builder,
    q: Value,
    k: Value,
    v: Value,
    table: Value | None = None,
    *,
    scaled: bool = True,
    upcast: bool = False,
) -> tuple[Value, tuple[Value, ...]]:
    """Returns the values that queries weigh, heads side by side, and with eager attention the weights. `table` is added
    to the scores, which are `scaled` unless the queries were; `upcast` says that the softmax is in float32."""
    if e.causal:
        k, v = (with_cache(b, part, label, workload) for part, label in ((k, "k"), (v, "v")))
    b.hold(q, k, v)
    drop = e.attention_dropout if workload.phase == "train" else 0
    if workload.attention == "fused" and not e.written_out:
        options: dict[str, Any] = {"dropout_p": drop} if drop else {}
        if not scaled:
            options["scale"] = 1
        if e.causal and workload.phase != "decode":
            options["causal"] = True
        return merge_heads(b, b.apply("scaled_dot_product_attention", q, k, v, name="sdpa", **options)), ()
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
    scores = b.apply("scale", scores, name="scale")  # by 1 if the queries were
    if table is not None:
        scores = b.apply("add", scores, table, name="mask" if equal(e.buckets, 0) else "biases")
    if upcast and b.dtype != "float32":
        wide = b.apply("softmax", b.apply("cast", scores, name="scores_upcast", dtype="float32"), name="softmax")
        weights = b.apply("cast", wide, name="weights_narrowed", dtype=b.dtype)
    else:
        weights = b.apply("softmax", scores, name="softmax")
    weights = dropped(b, "dropout", weights, drop, workload)
    return merge_heads(b, b.apply("matmul", weights, v, name="values")), (weights,)
