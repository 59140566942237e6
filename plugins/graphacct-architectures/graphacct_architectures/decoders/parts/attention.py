"""Self-attention of a decoder's layer: projections, positions, scores, values."""

from __future__ import annotations

from collections.abc import Mapping

from graphacct import Builder, Value, Workload, equal, less
from graphacct_architectures.decoders.parts.description.attention import ABSORBED, Attention
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.names import ALIBI, mask_name
from graphacct_architectures.decoders.parts.norms import normed_by as normed_by
from graphacct_architectures.decoders.parts.norms import projection as projection
from graphacct_architectures.decoders.parts.projections import of_their_own
from graphacct_architectures.decoders.parts.rotary import both_rotated
from graphacct_architectures.layers import dropped, linear, merge_heads, split_heads, with_cache

WIDEST = 256
"""The largest width of a head for which torch's kernels accept shared heads."""


def attention(
    a: Attention, kind: Norm, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> tuple[Value, tuple[Value, ...]]:
    """Adds attention over x (batch, seq, width); the builder is in its scope. `tables` has the masks and rotary tables.

    Returns the output and, with eager attention, the weights: the published modules return both.
    """
    width = x.spec.shape[-1]
    b.hold(x)
    if a.latent is not None and workload.attention == ABSORBED:
        from graphacct_architectures.decoders.parts.latent import absorbed  # few models have it

        y = absorbed(a, a.latent, workload, b, x, tables)
        y = gated(a, b, x, y) if a.gate else y
        return linear(b, a.out, y, width, bias=a.out_bias), ()
    gate: Value | None = None
    if a.latent is not None:
        from graphacct_architectures.decoders.parts.latent import latent

        q, k, v, source, gate = latent(a, a.latent, workload, b, x, tables)
        if a.indexer is not None:
            from graphacct_architectures.decoders.parts.indexer import with_chosen

            tables = with_chosen(a, a.indexer, workload, b, x, source, tables)
    else:
        q, k, v, gate = of_their_own(a, kind, workload, b, x, tables)
        if a.blocks is not None:
            from graphacct_architectures.decoders.parts.blocks import with_blocks

            tables = with_blocks(a, a.blocks, workload, b, x, tables)
    y, weights = (differences if a.differential else attended)(a, workload, b, q, k, v, tables)
    if gate is not None:
        if a.gate_wide and gate.spec.dtype != "float32":
            gate = b.apply("cast", gate, name="gate_wide", dtype="float32")
        dtype = y.spec.dtype
        y = b.apply("mul", y, b.apply("sigmoid", gate, name="gate_sigmoid"), name="gated")
        y = y if y.spec.dtype == dtype else b.apply("cast", y, name="gated_narrowed", dtype=dtype)
    if a.gate:
        y = gated(a, b, x, y)
    if a.out_norm:
        y = normed_by(b, a.out_norm, y, kind)
    y = projection(a.in_out, b, a.out, y, width, a.out_bias)
    if a.out_shift:
        y = b.apply("add", y, b.parameter(a.out_shift, (width,)), name="out_shifted")
    return y, weights


def attend(
    a: Attention, workload: Workload, b: Builder, q: Value, k: Value, v: Value, tables: Mapping[str, Value]
) -> Value:
    """Returns the heads' outputs side by side (batch, seq, heads · width), of projections in the same shape: rotated by
    position, cached and attended to."""
    counts = (a.heads, a.kv_heads, a.kv_heads)
    q, k, v = (
        split_heads(b, part, count, a.d_head, label)
        for part, count, label in zip((q, k, v), counts, "qkv", strict=True)
    )
    if not equal(a.rotary, 0):
        b.hold(q, k, until="k_rope")
        q, k = both_rotated(a, b, q, k, tables)
    k, v = (with_cache(b, part, label, workload, a.window) for part, label in ((k, "k"), (v, "v")))
    y, weights = attended(a, workload, b, q, k, v, tables)
    b.hold(*weights)
    return y


def attended(
    a: Attention, workload: Workload, b: Builder, q: Value, k: Value, v: Value, tables: Mapping[str, Value]
) -> tuple[Value, tuple[Value, ...]]:
    """Returns the heads' outputs side by side and, with eager attention, the weights."""
    b.hold(q, k, v)
    weights: tuple[Value, ...] = ()
    if workload.attention == "fused":
        y = fused(a, workload, b, q, k, v, tables)
    else:
        y, written = eager(a, workload, b, q, k, v, tables)
        weights = (written,)
    return merge_heads(b, y), weights


def differences(
    a: Attention, workload: Workload, b: Builder, q: Value, k: Value, v: Value, tables: Mapping[str, Value]
) -> tuple[Value, tuple[Value, ...]]:
    """Returns the same of differential attention (Ye et al., 2024, arXiv:2410.05258): twice with the same queries and
    keys, on either half of the heads of values; then half of the heads less the others."""
    batch, _, seq, _ = q.spec.shape
    halves = b.apply("split", v, name="v_halves", parts=2, dim=1)
    outputs, written = [], []
    for label, half in zip(("first", "second"), halves, strict=True):
        with b.scope(label):
            y, weights = attended(
                a, workload, b, q, k, b.apply("repeat", half, name="v_twice", times=(1, 2, 1, 1)), tables
            )
            outputs.append(b.apply("reshape", y, name="heads_apart", shape=(batch, seq, a.heads, a.d_head)))
        written.append(weights)
    y = b.apply("concat", *outputs, name="side_by_side", dim=-1)
    taken, given = b.apply("split", y, name="halves_of_heads", parts=2, dim=2)
    share = difference_share(a, b, q.spec.dtype)
    y = b.apply("sub", taken, b.apply("mul", share, given, name="share_of_second"), name="difference")
    y = b.apply("rms_norm", y, name="groupnorm", normalized_shape=(2 * a.d_head,))
    y = b.apply("scale", y, name="difference_scaled")
    return b.apply("reshape", y, name="heads_joined", shape=(batch, seq, a.heads * a.d_head)), written[0]


def difference_share(a: Attention, b: Builder, dtype: str) -> Value:
    """Returns exp(q₁ · k₁) - exp(q₂ · k₂) plus a constant, of four learned vectors of d_head; sums run in float32."""
    powers = []
    for i in (1, 2):
        q, k = (b.parameter(f"lambda_{label}{i}", (a.d_head,)) for label in "qk")
        product = b.apply("mul", q, k, name=f"lambda_product_{i}")
        if product.spec.dtype != "float32":
            product = b.apply("cast", product, name=f"lambda_wide_{i}", dtype="float32")
        power = b.apply("exp", b.apply("sum", product, name=f"lambda_sum_{i}", dim=-1), name=f"lambda_{i}")
        powers.append(power if dtype == "float32" else b.apply("cast", power, name=f"lambda_narrowed_{i}", dtype=dtype))
    return b.apply("shift", b.apply("sub", *powers, name="lambda_difference"), name="lambda_full")


def gated(a: Attention, b: Builder, x: Value, y: Value) -> Value:
    """Returns the heads' outputs y (batch, seq, heads · width) times a gate of x, of each element or of each head. A
    softplus runs in float32, as in the library."""
    gate = linear(b, a.gate, x, a.heads if a.gate_per_head else a.heads * a.value_width, bias=a.gate_bias)
    wide = (a.gate_by == "softplus" or a.gate_wide) and b.dtype != "float32"
    if wide:
        gate = b.apply("cast", gate, name="gate_wide", dtype="float32")
    gate = b.apply(a.gate_by, gate, name="gate")
    if wide:
        gate = b.apply("cast", gate, name="gate_narrowed", dtype=b.dtype)
    if not a.gate_per_head:
        return b.apply("mul", y, gate, name="gated")
    batch, seq, width = y.spec.shape
    heads = b.apply("reshape", y, name="heads_apart", shape=(batch, seq, a.heads, a.value_width))
    gate = b.apply("reshape", gate, name="gate_apart", shape=(batch, seq, a.heads, 1))
    return b.apply("reshape", b.apply("mul", heads, gate, name="gated"), name="heads_joined", shape=(batch, seq, width))


def fused(
    a: Attention, workload: Workload, b: Builder, q: Value, k: Value, v: Value, tables: Mapping[str, Value]
) -> Value:
    """Adds one operator, with a mask only if the mask is more than causal.

    torch's kernels for a mask or wide heads do not accept shared heads, so each query head gets a copy, as in the
    transformers library. In decoding, the queries that share a head become its rows instead. Kernels with sinks or a
    softcap are not torch's and accept both.
    """
    mask = tables.get(mask_name(a, workload))
    wide_heads = not less(a.d_head, WIDEST + 1, assumed=True)
    shared = not a.kv_broadcast and workload.phase != "decode"
    if shared and (mask is not None or wide_heads) and not (a.sinks or a.softcap):
        k, v = (repeat_kv(a, b, part, label) for part, label in ((k, "k"), (v, "v")))
        b.hold(k, v, until="merge_heads")
    sinks_dtype = "float32" if a.sinks_wide else None
    given = (q, k, v, b.parameter("sinks", (a.heads,), sinks_dtype)) if a.sinks else (q, k, v)
    operator = "scaled_dot_product_attention" + ("_with_sinks" if a.sinks else "")
    causal = a.causal and workload.phase != "decode"
    drop = {"dropout_p": a.dropout} if workload.phase == "train" and a.dropout else {}
    rest = () if mask is None else (mask,)
    unscaled = {} if a.scaled else {"scale": 1}
    capping = {"softcap": True} if a.softcap else {}
    one_head = {"broadcast": True} if a.kv_broadcast and workload.phase != "decode" else {}
    options = {"causal": causal and not rest, **drop, **unscaled, **capping, **one_head}
    return b.apply(operator, *given, *rest, name="sdpa", **options)


def eager(
    a: Attention, workload: Workload, b: Builder, q: Value, k: Value, v: Value, tables: Mapping[str, Value]
) -> tuple[Value, Value]:
    """Adds scores, mask, softmax in float32 and values as separate nodes; also returns the weights."""
    if not a.kv_broadcast:
        k, v = (repeat_kv(a, b, part, label) for part, label in ((k, "k"), (v, "v")))
    b.hold(k, v, until="merge_heads")
    if a.upcast == "scores" and b.dtype != "float32":
        q, k = (b.apply("cast", part, name=f"{label}_wide", dtype="float32") for part, label in ((q, "q"), (k, "k")))
    scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
    if a.scaled:
        scores = b.apply("scale", scores, name="scale")
    if a.softcap:
        scores = capped(b, scores, "scores")
    if a.alibi:
        scores = b.apply("add", scores, tables[ALIBI], name="alibi")
    if a.window_stored:
        shape = (1, 1, *scores.spec.shape[-2:])
        hidden = {"causal": True} if a.window is None else {"causal": True, "window": a.window}
        seen = b.apply("constant", name="seen", shape=shape, dtype="bool", **hidden)
        scores = b.apply("masked_fill", scores, seen, name="within_window")
    if a.window is not None or not a.unmasked:
        mask = tables[mask_name(a, workload)]
        scores = b.apply("masked_fill" if a.mask_filled else "add", scores, mask, name="mask")
    column = a.sinks and not a.sinks_after
    if column:
        scores = with_sinks(b, scores, "float32" if a.sinks_wide else None)
    if (column and not a.sinks_alone) or a.less_largest:
        largest, _ = b.apply("topk", scores, name="largest", k=1)
        scores = b.apply("sub", scores, largest, name="less_largest")
    upcast = {} if b.dtype == "float32" or not a.upcast else {"dtype": "float32"}
    weights = b.apply("softmax", scores, name="softmax", **upcast)
    if upcast and not (column and a.sinks_alone):
        weights = b.apply("cast", weights, name="weights", dtype=b.dtype)
    if column:
        length = weights.spec.shape[-1] - 1
        weights = b.apply("slice", weights, name="without_sinks", dim=-1, start=0, length=length)
    if upcast and column and a.sinks_alone:
        weights = b.apply("cast", weights, name="weights", dtype=b.dtype)
    weights = dropped(b, "attn_dropout", weights, a.dropout, workload)
    if a.sinks_wide and weights.spec.dtype != b.dtype:
        weights = b.apply("cast", weights, name="weights_narrowed", dtype=b.dtype)
    y = b.apply("matmul", weights, v, name="values")
    return scaled_by_sinks(b, y, scores) if a.sinks_after else y, weights


def scaled_by_sinks(b: Builder, y: Value, scores: Value) -> Value:
    """Returns the heads' outputs times sigmoid(logsumexp(scores) - sink), whose sigmoid runs in float32."""
    batch, heads, seq, _ = scores.spec.shape
    total = b.apply("logsumexp", scores, name="log_sum", dim=-1)
    sinks = b.apply("reshape", b.parameter("sinks", (heads,)), name="sinks_apart", shape=(1, heads, 1))
    share = b.apply("sub", total, sinks, name="above_sinks")
    if b.dtype != "float32":
        share = b.apply("cast", share, name="above_sinks_wide", dtype="float32")
    share = b.apply("sigmoid", share, name="sink_scale")
    share = b.apply("reshape", share, name="sink_scale_apart", shape=(batch, heads, seq, 1))
    if b.dtype != "float32":
        share = b.apply("cast", share, name="sink_scale_narrowed", dtype=b.dtype)
    return b.apply("mul", y, share, name="sinks_applied")


def repeat_kv(a: Attention, b: Builder, x: Value, label: str) -> Value:
    """Returns keys or values with a copy for each query head that shares them."""
    batch, heads, seq, width = x.spec.shape
    if equal(a.heads, heads):
        return x
    times = a.heads // a.kv_heads
    unsqueezed = b.apply("reshape", x, name=f"{label}_apart", shape=(batch, heads, 1, seq, width))
    expanded = b.apply("expand", unsqueezed, name=f"{label}_expanded", shape=(batch, heads, times, seq, width))
    return b.apply("reshape", expanded, name=f"{label}_repeated", shape=(batch, a.heads, seq, width))


def with_sinks(b: Builder, scores: Value, dtype: str | None = None) -> Value:
    """Returns the scores with a column of learned scores, which may be stored in a dtype of their own. After it the
    maximum of each row is subtracted.

    The library takes the maximum with its place, and the place is what its gradient needs: the one largest of a row.
    """
    batch, heads, seq, _ = scores.spec.shape
    sinks = b.apply("reshape", b.parameter("sinks", (heads,), dtype), name="sinks_apart", shape=(1, heads, 1, 1))
    sinks = b.apply("expand", sinks, name="sinks_expanded", shape=(batch, heads, seq, 1))
    if sinks.spec.dtype != scores.spec.dtype:
        scores = b.apply("cast", scores, name="scores_wide", dtype=sinks.spec.dtype)
    return b.apply("concat", scores, sinks, name="with_sinks", dim=-1)


def capped(b: Builder, x: Value, label: str) -> Value:
    """Returns cap · tanh(x / cap)."""
    x = b.apply("scale", x, name=f"{label}_over_cap")
    return b.apply("scale", b.apply("tanh", x, name=f"{label}_tanh"), name=f"{label}_capped")
