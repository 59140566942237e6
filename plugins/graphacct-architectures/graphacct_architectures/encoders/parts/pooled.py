"""Funnel Transformer's relative attention, whose queries may be fewer than its keys, and what its layers share.

Dai et al., 2020 (arXiv:2006.03236), appendix A.2: positions as a table of distances that is shifted for each query
(`relative_shift`), or as products of sines and cosines of both places (`factorized`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct import Builder, Dim, Value, Workload, ceil_div, floor_div, frozen, same
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.layers import activation, dropped, layer_norm, linear

BELOW, BESIDE = 1, 2
"""How many distances a shift leaves out: of as many queries as keys, and of pooled queries."""


@frozen(eq=False)
class Shared:
    """What all layers of a block read beside the text.

    Attributes:
        places: The sines and cosines: one table of distances, or of places phi, pi, psi and omega.
        types: Whether a query and a key are of the same sentence, (batch, queries, keys).
        mask: The keys that are no padding, (batch, keys).
        first: Zero where a query or a key is the first token, (queries, keys); none if it is pooled as the others are.
    """

    places: tuple[Value, ...]
    types: Value
    mask: Value
    first: tuple[Value, ...]

    @property
    def values(self) -> tuple[Value, ...]:
        """All of them in a row, as a block of layers takes them."""
        return (self.types, self.mask, *self.first, *self.places)


def given(values: Sequence[Value], apart: bool) -> Shared:
    """Returns what `values` were in a row; `apart` says whether the first token is pooled apart."""
    types, mask, *rest = values
    first = rest[: int(apart)]
    return Shared(tuple(rest[int(apart) :]), types, mask, tuple(first))


def pooled_length(config: Any, count: Dim) -> Dim:
    """Returns how many of `count` tokens are left: half of them, rounded up, once the first was doubled and the last
    cut off (`separate_cls`, `truncate_seq`)."""
    return ceil_div(count + int(config.separate_cls and not config.truncate_seq), 2)


def halved(config: Any, b: Builder, x: Value, axis: int, name: str) -> Value:
    """Returns every second entry of x along an axis, after the first once more if it is pooled apart."""
    count = pooled_length(config, x.spec.shape[axis])
    if config.separate_cls:
        first = b.apply("slice", x, name=f"{name}_first", dim=axis, start=0, length=1)
        x = b.apply("concat", first, x, name=f"{name}_joined", dim=axis)
    y: Value = b.apply("slice", x, name=name, dim=axis, start=0, length=count)
    return y


def averaged(config: Any, b: Builder, x: Value, kind: str, name: str) -> Value:
    """Returns the mean or the largest of each two tokens of x (batch, seq, width), or (batch, seq) without a width;
    the smallest is the largest of the negated ones."""
    batch, seq, *width = x.spec.shape
    if config.separate_cls:
        first = b.apply("slice", x, name=f"{name}_first", dim=1, start=0, length=1)
        rest = b.apply("slice", x, name=f"{name}_rest", dim=1, start=0, length=seq - 1) if config.truncate_seq else x
        x = b.apply("concat", first, rest, name=f"{name}_joined", dim=1)
    count = x.spec.shape[1]
    x = b.apply("reshape", x, name=f"{name}_image", shape=(batch, 1, count, *(width or (1,))))
    window = {"kernel": (2, 1), "stride": (2, 1), "ceil_mode": True}
    if kind == "min":
        x = b.apply("neg", x, name=f"{name}_negated")
    y = b.apply("avg_pool", x, name=f"{name}_pool", **window) if kind == "mean" else largest(b, x, name, window)
    if kind == "min":
        y = b.apply("neg", y, name=f"{name}_smallest")
    found: Value = b.apply("reshape", y, name=name, shape=(batch, ceil_div(count, 2), *width))
    return found


def largest(b: Builder, x: Value, name: str, window: dict[str, Any]) -> Value:
    """Returns the largest of each window."""
    y: Value = b.apply("max_pool", x, name=f"{name}_pool", **window)
    return y


def before(config: Any, b: Builder, shared: Shared) -> Shared:
    """Returns what a block's first layer shares, whose queries are pooled, and its keys too unless `pool_q_only`."""
    apart, keys = config.separate_cls, not config.pool_q_only
    axes = (1, 2) if keys else (1,)
    types, first, mask, places = shared.types, shared.first, shared.mask, shared.places
    for axis in axes:
        types = halved(config, b, types, axis, f"types_by_{axis}")
        first = tuple(halved(config, b, x, axis - 1, f"first_by_{axis}") for x in first) if apart else ()
    if config.factorized:
        count = len(places) if keys else 2
        places = (*(halved(config, b, x, 0, f"place_{at}") for at, x in enumerate(places[:count])), *places[count:])
    if keys:
        mask = averaged(config, b, mask, "min", "mask_pooled")
    return Shared(places, types, mask, first)


def after(config: Any, b: Builder, shared: Shared) -> Shared:
    """Returns what a block's other layers share, whose keys are pooled as well."""
    if not config.pool_q_only:
        return shared
    types = halved(config, b, shared.types, 2, "types_by_2")
    first = tuple(halved(config, b, x, 1, "first_by_2") for x in shared.first)
    places = shared.places
    if config.factorized:
        places = (*places[:2], *(halved(config, b, x, 0, f"place_{at}") for at, x in enumerate(places[2:], 2)))
    return Shared(places, types, averaged(config, b, shared.mask, "min", "mask_pooled"), first)


def distances(config: Any, workload: Workload, b: Builder, seq: Dim) -> tuple[Value, ...]:
    """Returns the sines and cosines of all distances in a text, (4 seq, width), or of places, (seq, width) each: phi,
    pi, psi and omega."""
    half = floor_div(config.d_model, 2)
    count = seq if config.factorized else 4 * seq
    places = b.apply("cast", b.apply("arange", name="place_ids", n=count), name="places", dtype=b.dtype)
    places = b.apply("reshape", places, name="place_column", shape=(count, 1))
    rates = b.apply("cast", b.apply("arange", name="rate_ids", n=half), name="rate_numbers", dtype=b.dtype)
    rates = b.apply("pow_of_number", b.apply("scale", rates, name="rate_shares"), name="rate_powers")
    rates = b.apply("scale", b.apply("reciprocal", rates, name="rates"), name="rates_scaled")
    rates = b.apply("reshape", rates, name="rate_row", shape=(1, half))
    angles = b.apply("mul", places, rates, name="sinusoid")
    sin, cos = (b.apply(function, angles, name=function) for function in ("sin", "cos"))
    sines, cosines = (
        dropped(b, f"{label}_dropout", x, config.hidden_dropout, workload) for label, x in (("sin", sin), ("cos", cos))
    )
    if not config.factorized:
        return (b.apply("concat", sines, cosines, name="pos_embed", dim=-1),)
    pairs = {"phi": (sines, sines), "pi": (cosines, cosines), "psi": (cos, sin)}
    found = {name: b.apply("concat", *pair, name=name, dim=-1) for name, pair in pairs.items()}
    omega = b.apply("concat", b.apply("neg", sin, name="sin_negated"), cos, name="omega", dim=-1)
    return (found["phi"], found["pi"], found["psi"], omega)


def rows(b: Builder, table: Value, count: Dim, name: str) -> Value:
    """Returns the `count` rows of distances that queries and keys of one spacing have, gathered entry by entry."""
    width = table.spec.shape[1]
    ids = b.apply("reshape", b.apply("arange", name=f"{name}_ids", n=count), name=f"{name}_column", shape=(count, 1))
    ids = b.apply("expand", b.apply("shift", ids, name=f"{name}_shifted"), name=f"{name}_each", shape=(count, width))
    found: Value = b.apply("gather", table, ids, name=name, dim=0)
    return found


def layer(config: Any, workload: Workload, b: Builder, query: Value, keys: Value, shared: Shared) -> Value:
    """Applies attention of the queries to the keys, (batch, seq, width) each, then the network."""
    with b.scope("attention"):
        y = dropped(
            b, "hidden_dropout", attended(config, workload, b, query, keys, shared), config.hidden_dropout, workload
        )
        x = layer_norm(b, "layer_norm", b.apply("add", query, y, name="residual"))
    b.hold(x)
    with b.scope("ffn"):
        y = activation(
            b, ACTIVATIONS[config.hidden_act], linear(b, "linear_1", x, config.d_inner), "activation_function"
        )
        y = linear(
            b, "linear_2", dropped(b, "activation_dropout", y, config.activation_dropout, workload), config.d_model
        )
        y = dropped(b, "dropout", y, config.hidden_dropout, workload)
        return layer_norm(b, "layer_norm", b.apply("add", x, y, name="residual"))


def attended(config: Any, workload: Workload, b: Builder, query: Value, keys: Value, shared: Shared) -> Value:
    """Returns attention's output (batch, queries, width)."""
    heads, width = config.n_head, config.d_head
    batch, count, _ = query.spec.shape
    seen = keys.spec.shape[1]
    q, k, v = (
        b.apply(
            "reshape",
            linear(b, f"{name}_head", x, heads * width, bias=name != "q"),
            name=f"{name}_heads",
            shape=(batch, length, heads, width),
        )
        for name, x, length in (("q", query, count), ("k", keys, seen), ("v", keys, seen))
    )
    q = b.apply("scale", q, name="q_scaled")
    biased = {
        name: b.apply(
            "add",
            q,
            b.apply("scale", b.parameter(f"r_{name}_bias", (heads, width)), name=f"r_{name}_scaled"),
            name=f"q_{name}",
        )
        for name in "wrs"
    }
    scores = b.apply("einsum", biased["w"], k, name="content_score", equation="bind,bjnd->bnij")
    b.hold(scores)
    kernel = b.parameter("r_kernel", (config.d_model, heads, width))
    position = (multiplied if config.factorized else shifted)(b, biased["r"], kernel, shared.places, seen)
    position = without_first(b, position, shared, "positional_attn")
    kinds = b.apply(
        "einsum",
        biased["s"],
        b.parameter("seg_embed", (2, heads, width)),
        name="token_type_bias",
        equation="bind,snd->bnis",
    )
    types = b.apply(
        "expand",
        b.apply("reshape", shared.types, name="types_of_heads", shape=(batch, 1, count, seen)),
        name="types_each",
        shape=(batch, heads, count, seen),
    )
    other, alike = b.apply("split", kinds, name="other_and_alike", parts=2)
    other, alike = (
        b.apply("expand", x, name=f"{label}_each", shape=(batch, heads, count, seen))
        for label, x in (("other", other), ("alike", alike))
    )
    kinds = without_first(b, b.apply("where", types, alike, other, name="token_type_attn"), shared, "token_type_attn")
    scores = b.apply("add", b.apply("add", scores, position, name="with_positions"), kinds, name="attn_score")
    scores = b.apply("cast", scores, name="attn_score_wide", dtype="float32")
    mask = b.apply("reshape", shared.mask, name="mask_row", shape=(batch, 1, 1, seen))
    mask = b.apply("rsub", b.apply("cast", mask, name="mask_wide", dtype="float32"), name="mask_hidden")
    scores = b.apply("sub", scores, b.apply("scale", mask, name="mask_scaled"), name="masked")
    scores = b.apply("cast", scores, name="masked_as_computed", dtype=b.dtype)
    weights = b.apply("softmax", scores, name="attn_prob")
    weights = dropped(b, "attention_dropout", weights, config.attention_dropout, workload)
    y = b.apply("einsum", weights, v, name="attn_vec", equation="bnij,bjnd->bind")
    return linear(
        b, "post_proj", b.apply("reshape", y, name="merged", shape=(batch, count, heads * width)), config.d_model
    )


def without_first(b: Builder, scores: Value, shared: Shared, name: str) -> Value:
    """Returns scores that are zero, in place, where the first token is a query or a key, if it is pooled apart."""
    for first in shared.first:
        scores = b.apply("mul", scores, first, name=f"{name}_but_first", in_place=True)
    return scores


def shifted(b: Builder, q: Value, kernel: Any, places: tuple[Value, ...], seen: Dim) -> Value:
    """Returns scores of distances (batch, heads, queries, keys): those of a table's rows, each query's shifted."""
    batch, count, heads, _ = q.spec.shape
    kept = places[0].spec.shape[0]
    r = b.apply("einsum", places[0], kernel, name="r_head", equation="td,dnh->tnh")
    x = b.apply("einsum", q, r, name="positional_attn", equation="binh,tnh->bnit")
    shift = BELOW if same(count, seen) else BESIDE
    x = b.apply("reshape", x, name="shift_columns", shape=(batch, heads, kept, count))
    x = b.apply("slice", x, name="shift_cut", dim=2, start=shift, length=kept - shift)
    x = b.apply("reshape", x, name="shift_rows", shape=(batch, heads, count, kept - shift))
    y: Value = b.apply("slice", x, name="shifted", dim=3, start=0, length=seen)
    return y


def multiplied(b: Builder, q: Value, kernel: Any, places: tuple[Value, ...], seen: Dim) -> Value:
    """Returns scores of distances (batch, heads, queries, keys) as products of both places' sines and cosines."""
    q = b.apply("einsum", q, kernel, name="q_r_attention", equation="binh,dnh->bind")
    b.hold(q)
    found = []
    for at, (of_query, of_key) in enumerate(((places[0], places[2]), (places[1], places[3])), 1):
        count, width = of_query.spec.shape
        of_query = b.apply("reshape", of_query, name=f"place_{at}", shape=(count, 1, width))
        turned = b.apply("mul", q, of_query, name=f"q_r_attention_{at}")
        found.append(b.apply("einsum", turned, of_key, name=f"positional_attn_{at}", equation="bind,jd->bnij"))
    y: Value = b.apply("add", *found, name="positional_attn")
    return y
