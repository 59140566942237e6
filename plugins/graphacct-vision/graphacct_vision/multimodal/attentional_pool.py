"""torch.nn.MultiheadAttention of rows that ask other rows, and learned queries that pool with it (CoCa's pooler;
Yu et al., 2022, arXiv:2205.01917; open_clip's `transformer.py`)."""

from __future__ import annotations

from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import layer_norm, linear, merge_heads, split_heads
from graphacct_architectures.tower import Tower, attended

from graphacct import Builder, Dim, Value, Workload, equal, exact_div


def asked(workload: Workload, b: Builder, q: Value, k: Value, v: Value, heads: Dim) -> Value:
    """Returns what rows q (batch, rows, width) read of k and v (batch, others, width of those); the builder is in the
    scope of torch's module. Its projections are one parameter if all have one width, and otherwise three; its biases
    are one in both cases."""
    width, other = q.spec.shape[-1], k.spec.shape[-1]
    d_head = exact_div(width, heads, "width / heads of torch.nn.MultiheadAttention")
    if equal(width, other):
        joint = b.parameter("in_proj_weight", (3 * width, width))
        weights = b.apply("split", joint, name="in_proj_weights", parts=3, dim=0)
    else:
        sizes = {"q": width, "k": other, "v": other}
        weights = [b.parameter(f"{label}_proj_weight", (width, size)) for label, size in sizes.items()]
    biases = b.apply("split", b.parameter("in_proj_bias", (3 * width,)), name="in_proj_biases", parts=3, dim=0)
    q, k, v = (
        split_heads(b, b.apply("linear", x, weight, bias, name=f"{label}_projected"), heads, d_head, label)
        for x, weight, bias, label in zip((q, k, v), weights, biases, "qkv", strict=True)
    )
    kind = Tower(1, heads, Mlp(1, "gelu", gated=False), stack="", attention="", out="", norms=("", ""))
    y, _ = attended(kind, workload, b, q, k, v, None)
    return linear(b, "out_proj", merge_heads(b, y), width)


def pooled(workload: Workload, b: Builder, x: Value, queries: Dim, heads: Dim, width: Dim) -> Value:
    """Returns what `queries` learned rows of the `width` read of x (batch, tokens, width of the tower): (batch,
    queries, width). The builder is in the pooler's scope."""
    x = layer_norm(b, "ln_k", x)
    own = b.apply("reshape", b.parameter("query", (queries, width)), name="queries", shape=(1, queries, width))
    own = layer_norm(b, "ln_q", own)
    own = b.apply("expand", own, name="queries_of_batch", shape=(x.spec.shape[0], queries, width))
    with b.scope("attn"):
        return asked(workload, b, own, x, x, heads)
