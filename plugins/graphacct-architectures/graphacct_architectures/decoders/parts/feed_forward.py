"""Feed-forward networks: one hidden layer, gated or not, or experts that a router chooses from."""

from __future__ import annotations

from graphacct import Builder, Dim, Value, Workload, ceil_div, equal, prod
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.norms import normed_by, projection
from graphacct_architectures.layers import activation, dropped, linear

XIELU = "xielu"
"""The activation that has parameters."""


def mlp(m: Mlp, b: Builder, x: Value, workload: Workload | None = None) -> Value:
    """Returns the output of a feed-forward network; the builder is in its scope, and the workload says whether the
    hidden layer is dropped."""
    width = x.spec.shape[-1]
    if not m.gated:
        y = projection(m.in_out, b, m.up, x, m.width, m.bias)
        y = xielu(b, y) if m.activation == XIELU else activation(b, m.activation, y, m.act)
    else:
        if m.joint:
            both = linear(b, m.joint, x, 2 * m.width, bias=m.bias)
            gate, up = b.apply("split", both, name="gate_and_up", parts=2)
            gate, up = both_cut(b, gate, up) if m.cut_first else (gate, up)
            gate, up = glu_clamped(b, gate, up) if m.clamped else (activation(b, m.activation, gate), up)
        else:
            gate = projection(m.in_out, b, m.gate, x, m.width, m.bias)
            gate = b.apply("scale", gate, name="gate_scaled") if m.scaled else gate
            gate = b.apply("clamp", gate, name="gate_cut") if m.cut_first else gate
            if m.cut_first:
                up = b.apply("clamp", projection(m.in_out, b, m.up, x, m.width, m.bias), name="up_cut")
                gate = activation(b, m.activation, gate)
            else:
                gate = activation(b, m.activation, gate)
                up = projection(m.in_out, b, m.up, x, m.width, m.bias)
        gate, up = both_cut(b, gate, up) if m.cut else (gate, up)
        y = b.apply("mul", gate, up, name="gated")
    if workload is not None:
        y = dropped(b, "act_dropout", y, m.dropout, workload)
    if m.norm:
        y = normed_by(b, m.norm, y, m.norm_kind)
    y = projection(m.in_out, b, m.down, y, width, m.bias if m.down_bias is None else m.down_bias)
    return b.apply("scale", y, name="out_scaled") if m.scaled else y


def by_shares(e: Experts, b: Builder, x: Value, y: Value, common: Value) -> tuple[Value, Value]:
    """Returns the experts' output and the shared network's, each times its share: a softmax in float32."""
    wide = {} if b.dtype == "float32" else {"dtype": "float32"}
    shares = b.apply("softmax", linear(b, e.shared_mix, x, 2), name="shares", **wide)
    if wide:
        shares = b.apply("cast", shares, name="shares_narrowed", dtype=b.dtype)
    first, second = b.apply("split", shares, name="share_of_each", parts=2)
    return b.apply("mul", y, first, name="experts_share"), b.apply("mul", common, second, name="shared_share")


def both_cut(b: Builder, gate: Value, up: Value) -> tuple[Value, Value]:
    """Returns the gate, which is clamped from above, and the other projection, from both sides."""
    return b.apply("clamp", gate, name="gate_cut"), b.apply("clamp", up, name="up_cut")


def glu_clamped(b: Builder, gate: Value, up: Value) -> tuple[Value, Value]:
    """Returns gate · σ(α gate), and the other projection plus 1, both clamped first."""
    gate = b.apply("clamp", gate, name="gate_cut")
    up = b.apply("shift", b.apply("clamp", up, name="up_cut"), name="up_and_one")
    sigmoid = b.apply("sigmoid", b.apply("scale", gate, name="gate_scaled"), name="act")
    return b.apply("mul", gate, sigmoid, name="glu"), up


def joined(e: Experts, b: Builder, y: Value, common: Value) -> Value:
    """Returns the experts' output and the shared network's added up."""
    wide = e.shared_wide and b.dtype != "float32"
    if wide:
        y, common = (
            b.apply("cast", part, name=f"{word}_wide", dtype="float32")
            for part, word in ((y, "experts"), (common, "shared"))
        )
    y = b.apply("add", y, common, name="with_shared")
    if wide:
        y = b.apply("cast", y, name="with_shared_narrowed", dtype=b.dtype)
    return b.apply("scale", y, name="averaged") if e.shared_averaged else y


def xielu(b: Builder, x: Value) -> Value:
    """Returns α x² + β x where x is positive and α' (exp(min(x, ε)) - 1 - x) + β x elsewhere, with two learned numbers
    (Huang and Schlag, 2024, arXiv:2411.13010)."""
    with b.scope("act_fn"):
        positive = b.apply("softplus", b.parameter("alpha_p", (1,)), name="positive")
        beta, least = (b.parameter(name, (1,), buffer=True) for name in ("beta", "eps"))
        negative = b.apply("add", beta, b.apply("softplus", b.parameter("alpha_n", (1,)), name="soft"), name="negative")
        above = b.apply("gt", x, b.apply("full", name="zero", shape=(1,), dtype=x.spec.dtype), name="above")
        square = b.apply("mul", b.apply("mul", positive, x, name="times"), x, name="square")
        upper = b.apply("add", square, b.apply("mul", beta, x, name="upper_line"), name="upper")
        power = b.apply("expm1", b.apply("minimum", x, least, name="below"), name="power")
        curve = b.apply("mul", b.apply("sub", power, x, name="bend"), negative, name="curve")
        lower = b.apply("add", curve, b.apply("mul", beta, x, name="lower_line"), name="lower")
        return b.apply("where", above, upper, lower, name="act")


def experts(e: Experts, b: Builder, x: Value, tokens: Value | None = None) -> Value:
    """Returns the chosen experts' outputs, weighted and added up, and the shared network's; the builder is in their
    scope. `tokens` are the ids of x's tokens, which some routers read."""
    batch, seq, width = x.spec.shape
    rows = b.apply("reshape", x, name="tokens", shape=(batch * seq, width))
    if e.every:
        return through_every(e, b, rows, (batch, seq, width))
    from graphacct_architectures.decoders.parts.router import routed  # most networks have no experts

    ids, weights = routed(e, b, rows, tokens)
    if e.latent is not None:
        rows = linear(b, e.latent_in, rows, e.latent, bias=e.latent_bias)
    y = chosen(e, b, rows, ids, weights)
    if e.latent is not None:
        y = linear(b, e.latent_out, y, width, bias=e.latent_bias)
    y = b.apply("reshape", y, name="sequences", shape=(batch, seq, width))
    if e.out_scaled:
        y = b.apply("scale", y, name="out_scaled")
    if e.shared is not None and not e.shared_beside:
        with b.scope(e.shared.module):
            common = mlp(e.shared, b, x)
        if e.shared_gate:
            gate = b.apply("sigmoid", linear(b, e.shared_gate, x, 1, bias=False), name="shared_gate")
            common = b.apply("mul", gate, common, name="shared_gated")
        if e.shared_mix:
            y, common = by_shares(e, b, x, y, common)
        y = joined(e, b, y, common)
    return normed_by(b, e.out_norm, y, Norm()) if e.out_norm else y


def through_every(e: Experts, b: Builder, rows: Value, shape: tuple[Dim, ...]) -> Value:
    """Returns the outputs of all experts added up, and the shared network's, in the shape of the stream. Each expert's
    input is the token times the sigmoid of its score, or 0 if it is not chosen."""
    from graphacct_architectures.decoders.parts.router import scored

    tokens, width = rows.spec.shape
    scores = scored(e, b, rows)
    with b.scope(e.router):
        best, ids = b.apply("topk", scores, name="topk", k=e.per_token)
        least = b.apply("full", name="least", shape=scores.spec.shape, dtype=b.dtype)
        scores = b.apply("scatter", least, ids, best, name="chosen_scores", dim=-1)
        if b.dtype != "float32":
            scores = b.apply("cast", scores, name="wide_scores", dtype="float32")
        scores = b.apply("sigmoid", scores, name="sigmoid")
        if b.dtype != "float32":
            scores = b.apply("cast", scores, name="narrowed", dtype=b.dtype)
    by_expert = b.apply("repeat", rows, name="tokens_of_each", times=(e.count, 1))
    factors = b.apply("transpose", scores, name="scores_by_expert", dims=(0, 1))
    factors = b.apply("reshape", factors, name="factors", shape=(e.count * tokens, 1))
    x = b.apply("mul", by_expert, factors, name="weighted")
    with b.scope("experts"):
        x = b.apply("reshape", x, name="by_expert", shape=(e.count, tokens, width))
        used = (e.per_token, e.count)  # the others' inputs are 0
        both = b.parameter("gate_up_proj", (e.count, width, 2 * e.width), chosen=used)
        down = b.parameter("down_proj", (e.count, e.width, width), chosen=used)
        x = b.apply("matmul", x, both, name="gate_up_proj")
        x = b.apply("matmul", activated(e, b, x, reverse=True), down, name="down_proj")
        x = b.apply("reshape", x, name="rows", shape=(e.count * tokens, width))
    if e.shared is not None:
        with b.scope(e.shared.module):
            common = mlp(e.shared, b, rows)
    x = b.apply("reshape", x, name="outputs", shape=(e.count, tokens, width))
    y = b.apply("sum", x, name="summed", dim=0)
    if e.shared is not None:
        y = b.apply("add", common, y, name="with_shared")
    return b.apply("reshape", y, name="sequences", shape=shape)


def chosen(e: Experts, b: Builder, rows: Value, ids: Value, weights: Value) -> Value:
    """Returns the chosen experts' outputs for each row, weighted and added up."""
    tokens, width = rows.spec.shape
    pairs = prod(ids.spec.shape)
    operator = "grouped_linear_in_out" if e.in_out else "grouped_linear"

    active = ceil_div(e.per_token * e.count, e.count + e.idle)

    def project(name: str, x: Value, n: object, k: object, joined: int = 1, count: Dim = e.count) -> Value:
        shape = (count, k, n) if e.in_out else (count, n, k)
        bias = (b.parameter(f"{name}_bias", (count, n)), owners) if e.bias else ()
        weight = b.parameter(name, shape, joined=joined)
        until = ends
        if not equal(count, ends.spec.shape[0]):
            until = b.apply("slice", ends, name="ends_of_rows", dim=0, start=0, length=count)
        return b.apply(operator, x, weight, until, *bias, name=name, per_token=active)

    with b.scope(e.stack):
        flat = b.apply("reshape", ids, name="ids", shape=(pairs,))
        options = {"experts": e.count + e.idle, "per_token": e.per_token}
        chosen_tokens, order, places, ends, owners = b.apply("by_expert", flat, name="by_expert", **options)
        x = b.apply("index_select", rows, chosen_tokens, name="rows")
        factors = b.apply("reshape", weights, name="flat_weights", shape=(pairs,))
        factors = b.apply("index_select", factors, order, name="ordered_weights")
        b.hold(order, x, factors)
        if e.apart:
            x = through_rows(e, b, x, ends)
        elif not equal(e.idle, 0):  # the rows of experts that give back what they get are the last
            computed = ceil_div(pairs * e.count, e.count + e.idle)
            rest: tuple[Value, ...] = ()
            if not equal(computed, pairs):
                rest = (b.apply("slice", x, name="idle_rows", dim=0, start=computed, length=pairs - computed),)
                x = b.apply("slice", x, name="computed_rows", dim=0, start=0, length=computed)
            x = project("gate_up_proj", x, 2 * e.width, width, joined=2, count=e.count + e.idle)
            x = project("down_proj", activated(e, b, x), width, e.width)
            x = b.apply("concat", x, *rest, name="all_rows", dim=0) if rest else x
        else:
            if e.gated:
                x = project("gate_up_proj", x, 2 * e.width, width, joined=1 if e.in_out else 2)
            else:
                x = project("up_proj", x, e.width, width)
            x = project("down_proj", activated(e, b, x), width, e.width)
        b.hold(x)
        factors = b.apply("reshape", factors, name="weights", shape=(pairs, 1))
        x = b.apply("mul", x, factors, name="weighted")
        x = b.apply("index_select", x, places, name="in_order")
        by_token = b.apply("reshape", x, name="by_token", shape=(tokens, e.per_token, width))
        x = b.apply("sum", by_token, name="summed", dim=1)
        return x if x.spec.dtype == b.dtype else b.apply("cast", x, name="narrowed", dtype=b.dtype)


def through_rows(e: Experts, b: Builder, x: Value, ends: Value) -> Value:
    """Returns the chosen experts' outputs, from weights that are stored as the rows of all experts (DBRX)."""
    width = x.spec.shape[-1]
    gate_name, up_name, down_name = e.apart

    def project(name: str, x: Value, operator: str) -> Value:
        stored = b.parameter(name, (e.count * e.width, width), chosen=(e.per_token, e.count))
        weight = b.apply("reshape", stored, name=f"{name}_by_expert", shape=(e.count, e.width, width))
        return b.apply(operator, x, weight, ends, name=f"{name}_product", per_token=e.per_token)

    gate, up = (project(name, x, "grouped_linear") for name in (gate_name, up_name))
    hidden = b.apply("mul", activation(b, e.activation, gate), up, name="gated")
    return project(down_name, hidden, "grouped_linear_in_out")


def activated(e: Experts, b: Builder, both: Value, *, reverse: bool = False) -> Value:
    """Returns the experts' hidden layer: the activation of the gate, times the other projection, or in `reverse`; or
    the activation of the one projection."""
    if not e.gated:
        return activation(b, e.activation, both)
    gate, up = b.apply("split", both, name="gate_and_up", parts=2)
    if e.clamped:
        gate, up = glu_clamped(b, gate, up)
    else:
        gate, up = both_cut(b, gate, up) if e.cut_first else (gate, up)
        gate = activation(b, e.activation, gate)
    gate, up = both_cut(b, gate, up) if e.cut else (gate, up)
    return b.apply("mul", *((up, gate) if reverse else (gate, up)), name="gated")
