"""Routers: a few experts are chosen for each token, each with a weight for its output."""

from __future__ import annotations

from graphacct import Builder, ConfigError, Parameter, Value, differ, equal, exact_div, prod
from graphacct_architectures.decoders.parts.description.feed_forward import Experts

SOFTMAX, TOP_SOFTMAX, SIGMOID, TOP_SIGMOID, MIXER = "softmax", "top_softmax", "sigmoid", "top_sigmoid", "mixer"
SQRT_SOFTPLUS = "sqrt_softplus"
CHOSEN_SIGMOID = "chosen_sigmoid"
"""The words for a router's scores."""


def routed(e: Experts, b: Builder, rows: Value, tokens: Value | None = None) -> tuple[Value, Value]:
    """Returns the chosen experts of each row and their weights, both (rows, experts per token). `tokens` are the ids of
    the rows' tokens, (batch, seq), which a router with a table reads."""
    correction: tuple[Value | Parameter, ...] = corrected_by(e, b) if e.correction else ()
    scores = scored(e, b, rows)
    with b.scope(e.router):
        if e.scoring == MIXER:
            return mixed(e, b, scores)
        if e.scoring == TOP_SOFTMAX:
            best, ids = b.apply("topk", scores, name="topk", k=e.per_token)
            wide = {"dtype": "float32"} if e.top_upcast and best.spec.dtype != "float32" else {}
            return ids, narrowed(e, b, b.apply("softmax", best, name="softmax", **wide))
        if e.scoring == CHOSEN_SIGMOID:
            _, ids = b.apply("topk", b.apply("add", scores, *correction, name="corrected"), name="topk", k=e.per_token)
            best = b.apply("gather", scores, ids, name="weights", dim=-1)
            return ids, narrowed(e, b, weighted(e, b, b.apply("sigmoid", best, name="sigmoid")))
        if e.scoring == TOP_SIGMOID:
            best, ids = b.apply("topk", scores, name="topk", k=e.per_token)
            best = b.apply("sigmoid", best, name="sigmoid")
            return ids, narrowed(e, b, weighted(e, b, best))
        if e.scoring == SIGMOID:
            scores = b.apply("sigmoid", scores, name="sigmoid")
        elif e.scoring == SQRT_SOFTPLUS:
            scores = b.apply("sqrt", b.apply("softplus", scores, name="softplus"), name="scores_rooted")
        else:
            wide = {"dtype": "float32"} if scores.spec.dtype != "float32" and not e.softmax_narrow else {}
            scores = b.apply("softmax", scores, name="softmax", **wide)
        if e.hashed is not None:
            ids = from_table(e, b, tokens)
            return ids, narrowed(e, b, weighted(e, b, b.apply("gather", scores, ids, name="weights", dim=-1)))
        choice = scores
        if correction:
            choice = b.apply("add", scores, *correction, name="corrected")
        if e.grouped or not equal(e.groups, 1):
            choice = within_groups(e, b, choice)
        best, ids = b.apply("topk", choice, name="topk", k=e.per_token)
        if correction or e.groups_by_two:
            best = b.apply("gather", scores, ids, name="weights", dim=-1)
        return ids, narrowed(e, b, weighted(e, b, best))


def from_table(e: Experts, b: Builder, tokens: Value | None) -> Value:
    """Returns the experts that a fixed table has for each token's id, (rows, experts per token)."""
    if tokens is None:
        raise ConfigError("these experts are chosen by the tokens' ids, and there are none here: the input is embedded")
    rows = prod(tokens.spec.shape)
    table = b.parameter("tid2eid", (e.hashed, e.per_token), "int64", buffer=True)
    places = b.apply("reshape", tokens, name="token_ids", shape=(rows,))
    found: Value = b.apply("index_select", table, places, name="experts_of_ids")
    return found


def weighted(e: Experts, b: Builder, best: Value) -> Value:
    """Returns the chosen scores as weights: made to sum to 1, multiplied by a constant, or both."""
    if e.normalised:
        total = b.apply("sum", best, name="total", dim=-1, keepdim=True)
        if e.above_zero:
            total = b.apply(e.above_zero, total, name="above_zero")
        best = b.apply("div", best, total, name="normalised")
    return b.apply("scale", best, name="scaled") if e.scaled else best


def narrowed(e: Experts, b: Builder, weights: Value) -> Value:
    """Returns the weights in the dtype in which they multiply the experts' outputs."""
    if not e.downcast or weights.spec.dtype == b.dtype:
        return weights
    return b.apply("cast", weights, name="narrowed", dtype=b.dtype)


def corrected_by(e: Experts, b: Builder) -> tuple[Value | Parameter, ...]:
    """Returns the correction, (experts,); the builder is in the scope of the experts' module."""
    c = e.corrected_by
    name = c.name if c.beside else f"{e.router}.{c.name}"
    dtype = "float32" if c.wide else None
    count = e.count + e.idle
    shape = (1, count) if c.row else (count,)
    known = b.parameter(name, shape, dtype, buffer=not c.frozen, frozen=c.frozen)
    return (b.apply("reshape", known, name=f"{name}_of_each", shape=(count,)) if c.row else known,)


def scored(e: Experts, b: Builder, rows: Value) -> Value:
    """Returns the router's product: one score for each row and expert."""
    with b.scope(e.router):
        shape = (e.count + e.idle, rows.spec.shape[-1])
        weight = b.parameter(e.router_weight, shape, "float32" if e.router_wide else None)
        biases = (b.parameter("bias", (e.count,)),) if e.router_bias else ()
        if e.router_upcast and b.dtype != "float32":
            rows = b.apply("cast", rows, name="rows", dtype="float32")
            weight = weight if e.router_wide else b.apply("cast", weight, name="wide", dtype="float32")
        scores = b.apply("linear", rows, weight, *biases, name="logits")
        if e.scores_upcast and scores.spec.dtype != "float32":
            scores = b.apply("cast", scores, name="scores", dtype="float32")
        if e.scores_capped:
            scores = b.apply("tanh", b.apply("scale", scores, name="over_cap"), name="tanh")
            scores = b.apply("scale", scores, name="capped")
        return scores


def mixed(e: Experts, b: Builder, scores: Value) -> tuple[Value, Value]:
    """Returns the chosen experts and their weights, as SparseMixer chooses two (Liu et al., 2023, arXiv:2310.00811):
    the largest score, then the next; each weight is its softmax over the scores that are near it.

    In training the library draws the experts instead, and lowers some weights; neither has a matrix product.
    """
    if differ(e.per_token, 2):
        raise ConfigError(f"num_experts_per_tok is {e.per_token}: this router chooses 2")
    rest, known = scores, b.apply("detach", scores, name="known")
    ids, weights = [], []
    for word in ("first", "second"):
        seen = b.apply("detach", rest, name=f"{word}_known")
        largest, index = b.apply("topk", seen, name=f"{word}_largest", k=1)
        size = b.apply("clamp_tensor", b.apply("abs", known, name=f"{word}_size"), largest, name=f"{word}_unit")
        distance = b.apply("sub", largest, known, name=f"{word}_distance")
        far = b.apply("div", distance, size, name=f"{word}_far")
        limit = b.apply("full", name=f"{word}_limit", shape=(1,), dtype=scores.spec.dtype)
        outside = b.apply("gt", far, limit, name=f"{word}_outside")
        near = b.apply("masked_fill", rest, outside, name=f"{word}_near")
        gates = b.apply("softmax", near, name=f"{word}_softmax")
        weights.append(b.apply("gather", gates, index, name=f"{word}_weight", dim=-1))
        ids.append(index)
        if word == "first":
            rest = b.apply("scatter", scores, index, name="without_first", dim=-1)
    return b.apply("concat", *ids, name="ids", dim=-1), b.apply("concat", *weights, name="weights", dim=-1)


def within_groups(e: Experts, b: Builder, choice: Value) -> Value:
    """Returns the scores, masked outside the best groups. A group is as good as its best experts.

    Training counts too much here: gradients of values that only lead to indices (the groups' scores, and with a
    correction the choice itself), 1 to 6 FLOPs per score, and the indices and the mask saved for them. torch computes
    none of these gradients.
    """
    rows = choice.spec.shape[0]
    size = exact_div(e.count, e.groups, "experts / groups of them")
    groups = b.apply("reshape", choice, name="groups", shape=(rows, e.groups, size))
    if e.correction or e.groups_by_two:
        best, _ = b.apply("topk", groups, name="best_of_groups", k=2)
        score = b.apply("sum", best, name="group_scores", dim=-1)
    else:
        best, _ = b.apply("topk", groups, name="best_of_groups", k=1)
        score = b.apply("reshape", best, name="group_scores", shape=(rows, e.groups))
    b.apply("topk", score, name="best_groups", k=e.chosen_groups)
    mask = b.apply("full", name="outside", shape=(rows, e.count), dtype="bool")
    return b.apply("masked_fill", choice, mask, name="within_groups")
