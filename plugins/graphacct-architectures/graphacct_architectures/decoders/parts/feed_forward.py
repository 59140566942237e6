"""Feed-forward networks: one hidden layer, gated or not, or experts that a router chooses from."""

from __future__ import annotations

from graphacct import Builder, Parameter, Value, Workload, equal, exact_div, prod
from graphacct_architectures.decoders.parts.description import Experts, Mlp
from graphacct_architectures.layers import activation, dropped, linear


def mlp(m: Mlp, b: Builder, x: Value, workload: Workload | None = None) -> Value:
    """Returns the output of a feed-forward network; the builder is in its scope, and the workload says whether the
    hidden layer is dropped."""
    width = x.spec.shape[-1]
    if not m.gated:
        y = activation(b, m.activation, linear(b, m.up, x, m.width, bias=m.bias))
    else:
        if m.joint:
            both = linear(b, m.joint, x, 2 * m.width, bias=m.bias)
            gate, up = b.apply("split", both, name="gate_and_up", parts=2)
            gate = activation(b, m.activation, gate)
        else:
            gate = linear(b, m.gate, x, m.width, bias=m.bias)
            gate = b.apply("scale", gate, name="gate_scaled") if m.scaled else gate
            gate = activation(b, m.activation, gate)
            up = linear(b, m.up, x, m.width, bias=m.bias)
        y = b.apply("mul", gate, up, name="gated")
    if workload is not None:
        y = dropped(b, "act_dropout", y, m.dropout, workload)
    y = linear(b, m.down, y, width, bias=m.bias)
    return b.apply("scale", y, name="out_scaled") if m.scaled else y


def experts(e: Experts, b: Builder, x: Value) -> Value:
    """Returns the chosen experts' outputs, weighted and added up, and the shared network's; the builder is in their
    scope."""
    batch, seq, width = x.spec.shape
    rows = b.apply("reshape", x, name="tokens", shape=(batch * seq, width))
    ids, weights = routed(e, b, rows)
    if e.latent is not None:
        rows = linear(b, e.latent_in, rows, e.latent, bias=e.latent_bias)
    y = chosen(e, b, rows, ids, weights)
    if e.latent is not None:
        y = linear(b, e.latent_out, y, width, bias=e.latent_bias)
    y = b.apply("reshape", y, name="sequences", shape=(batch, seq, width))
    if e.shared is not None and not e.shared_outside:
        with b.scope(e.shared.module):
            common = mlp(e.shared, b, x)
        if e.shared_gate:
            gate = b.apply("sigmoid", linear(b, e.shared_gate, x, 1, bias=False), name="shared_gate")
            common = b.apply("mul", gate, common, name="shared_gated")
        y = b.apply("add", y, common, name="with_shared")
    return y


def routed(e: Experts, b: Builder, rows: Value) -> tuple[Value, Value]:
    """Returns the chosen experts of each row and their weights, both (rows, experts per token)."""
    half = b.dtype != "float32"
    scores = scored(e, b, rows)
    bias: Parameter | None = None
    if e.correction and e.correction_outside:
        bias = b.parameter(e.correction_name, (e.count,), "float32", buffer=True)
    with b.scope(e.router):
        if e.scoring == "top_softmax":
            best, ids = b.apply("topk", scores, name="topk", k=e.per_token)
            best = b.apply("softmax", best, name="softmax")
            if e.downcast and best.spec.dtype != b.dtype:
                best = b.apply("cast", best, name="narrowed", dtype=b.dtype)
            return ids, best
        if e.scoring == "sigmoid":
            scores = b.apply("sigmoid", scores, name="sigmoid")
        else:
            scores = b.apply("softmax", scores, name="softmax", **({"dtype": "float32"} if half else {}))
        choice = scores
        if e.correction:
            bias = bias or b.parameter(e.correction_name, (e.count,), "float32", buffer=True)
            choice = b.apply("add", scores, bias, name="corrected")
        if e.correction or not equal(e.groups, 1):
            choice = grouped(e, b, choice)
        best, ids = b.apply("topk", choice, name="topk", k=e.per_token)
        if e.correction:
            best = b.apply("gather", scores, ids, name="weights", dim=-1)
        if e.normalised:
            total = b.apply("sum", best, name="total", dim=-1, keepdim=True)
            if e.scoring == "sigmoid":  # all sigmoids may be 0
                total = b.apply("shift", total, name="above_zero")
            best = b.apply("div", best, total, name="normalised")
        if e.scaled:
            best = b.apply("scale", best, name="scaled")
        if e.downcast and half:
            best = b.apply("cast", best, name="narrowed", dtype=b.dtype)
        return ids, best


def scored(e: Experts, b: Builder, rows: Value) -> Value:
    """Returns the router's product: one score for each row and expert."""
    with b.scope(e.router):
        weight = b.parameter("weight", (e.count, rows.spec.shape[-1]))
        biases = (b.parameter("bias", (e.count,)),) if e.router_bias else ()
        if e.router_upcast and b.dtype != "float32":
            rows = b.apply("cast", rows, name="rows", dtype="float32")
            weight = b.apply("cast", weight, name="wide", dtype="float32")
        logits = b.apply("linear", rows, weight, *biases, name="logits")
        if e.logits_upcast and logits.spec.dtype != "float32":
            logits = b.apply("cast", logits, name="logits_wide", dtype="float32")
        return logits


def grouped(e: Experts, b: Builder, choice: Value) -> Value:
    """Returns the scores, masked outside the best groups. A group is as good as its best experts.

    Training counts too much here: gradients of values that only lead to indices (the groups' scores, and with a
    correction the choice itself), 1 to 6 FLOPs per score, and the indices and the mask saved for them. torch computes
    none of these gradients.
    """
    rows = choice.spec.shape[0]
    size = exact_div(e.count, e.groups, "experts / groups of them")
    groups = b.apply("reshape", choice, name="groups", shape=(rows, e.groups, size))
    if e.correction:
        best, _ = b.apply("topk", groups, name="best_of_groups", k=2)
        score = b.apply("sum", best, name="group_scores", dim=-1)
    else:
        best, _ = b.apply("topk", groups, name="best_of_groups", k=1)
        score = b.apply("reshape", best, name="group_scores", shape=(rows, e.groups))
    b.apply("topk", score, name="best_groups", k=e.chosen_groups)
    mask = b.apply("full", name="outside", shape=(rows, e.count), dtype="bool")
    return b.apply("masked_fill", choice, mask, name="within_groups")


def chosen(e: Experts, b: Builder, rows: Value, ids: Value, weights: Value) -> Value:
    """Returns the chosen experts' outputs for each row, weighted and added up."""
    tokens, width = rows.spec.shape
    pairs = prod(ids.spec.shape)
    operator = "grouped_linear_in_out" if e.in_out else "grouped_linear"

    def project(name: str, x: Value, n: object, k: object, joined: int = 1) -> Value:
        shape = (e.count, k, n) if e.in_out else (e.count, n, k)
        bias = (b.parameter(f"{name}_bias", (e.count, n)), owners) if e.bias else ()
        weight = b.parameter(name, shape, joined=joined)
        return b.apply(operator, x, weight, ends, *bias, name=name, per_token=e.per_token)

    with b.scope("experts"):
        flat = b.apply("reshape", ids, name="ids", shape=(pairs,))
        options = {"experts": e.count, "per_token": e.per_token}
        chosen_tokens, order, places, ends, owners = b.apply("by_expert", flat, name="by_expert", **options)
        x = b.apply("index_select", rows, chosen_tokens, name="rows")
        factors = b.apply("reshape", weights, name="flat_weights", shape=(pairs,))
        factors = b.apply("index_select", factors, order, name="ordered_weights")
        b.hold(order, x, factors)
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


def activated(e: Experts, b: Builder, both: Value) -> Value:
    """Returns the experts' hidden layer: the activation of the gate, times the other projection; or of the one
    projection."""
    if not e.gated:
        return activation(b, e.activation, both)
    gate, up = b.apply("split", both, name="gate_and_up", parts=2)
    if e.clamped:  # gate · σ(α gate) times (1 + the other), both clamped first
        gate = b.apply("clamp", gate, name="gate_cut")
        up = b.apply("shift", b.apply("clamp", up, name="up_cut"), name="up_and_one")
        sigmoid = b.apply("sigmoid", b.apply("scale", gate, name="gate_scaled"), name="act")
        gate = b.apply("mul", gate, sigmoid, name="glu")
    else:
        gate = activation(b, e.activation, gate)
    return b.apply("mul", gate, up, name="gated")
