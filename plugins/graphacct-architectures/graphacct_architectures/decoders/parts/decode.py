"""Decoder-only language models built from one description, which each family fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from graphacct import Builder, ConfigError, Dim, Value, Workload, has_value
from graphacct_architectures.decoders.parts.attention import attention, capped
from graphacct_architectures.decoders.parts.description.attention import Mixing
from graphacct_architectures.decoders.parts.description.decoder import EMBEDDING, Decoder, Positions, Transform
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import NOTHING, Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.feed_forward import experts, mlp
from graphacct_architectures.decoders.parts.indexer import handed_on
from graphacct_architectures.decoders.parts.names import CHOSEN, POSITIONS
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.stack import stack
from graphacct_architectures.decoders.parts.tables import masks, rotary_tables, unread
from graphacct_architectures.layers import activation, dropped, embedding, for_logits, linear


def decode(d: Decoder, workload: Workload, b: Builder, merge: Merge | None = None) -> Value | tuple[Value, ...]:
    """Returns the graph of a decoder from token ids to logits, or to its class's outputs. `merge` puts what other parts
    of a model made in the place of some tokens' rows."""
    batch, seq = workload.batch, workload.seq_len
    assert seq is not None
    if d.most_positions is not None:
        check_positions(workload.positions, *d.most_positions)
    ids = b.input("input_ids", (batch, seq), "int64")
    with b.scope(d.module):
        narrow = d.embedding_width
        rows = d.vocab_size + d.embedding_spare
        x = embedding(b, d.embedding, ids, rows, d.width if narrow is None else narrow, tied_to=d.embedding_tied_to)
        if d.embedding_scaled:
            x = b.apply("scale", x, name="embedding_scaled")
        if d.embedding_normed is not None:
            x = normed_by(b, f"{d.embedding}_norm", x, d.embedding_normed)
    after: Mapping[int, After] = {}
    given: Mapping[str, Value] = {}
    if merge is not None:
        x, after, given = merge(b, ids, x)
    with b.scope(d.module):
        if narrow is not None:
            x = linear(b, d.project_in, x, d.width, bias=False)
        positions = None
        if d.positions is not None:
            x, positions = with_positions(d.positions, workload, b, x)
        if d.embedding_norm:
            x = normed_by(b, d.embedding_norm, x, d.norm_kind)
        b.hold(x)
        x = dropped(b, "drop", x, d.embedding_dropout, workload)
        tables = {**masks(d, workload, b), **rotary_tables(d, workload, b), **given}
        if d.embedding_given:
            tables[EMBEDDING] = b.apply("clone", x, name=EMBEDDING)
        if positions is not None and workload.phase == "train":
            tables[POSITIONS] = positions
        b.hold(*tables.values())
        carried = handed_on(d, workload, b) if d.middle is None else {}
        body = partial(layer, workload, tuple(tables), carried=tuple(carried))
        constants = tuple(tables.values())
        if after:
            x = interrupted(d, b, x, body, constants, after)
        elif d.middle is not None:
            x = d.middle.apply(d.middle.settings, d, workload, b, ids, x, tables)
        elif isinstance(d.layer, Layer):
            x = first_of(b.repeat(d.stack, d.count, body(d.layer), x, *carried.values(), constants=constants))
        else:
            x = first_of(stack(b, d.stack, d.layer, body, (x, *carried.values()), constants, count=d.count))
        if d.norm:
            x = normed_by(b, d.norm, x, d.norm_kind)
        x = dropped(b, "last_drop", x, d.last_dropout, workload)
        if narrow is not None:
            x = linear(b, d.project_out, x, narrow, bias=False)
    if d.headless:
        return x
    if d.head_norm:
        x = normed_by(b, d.head_norm, x, d.norm_kind)
    b.hold(x)
    if d.stream_scaled and d.classifier is None:
        x = b.apply("scale", x, name="stream_scaled")
    if d.classifier is not None:
        from graphacct_architectures.classifier import classified

        return classified(d.classifier, workload, b, x, ids)
    tied = f"{d.module}.{d.embedding}.weight" if d.tied else ""
    x = for_logits(b, x, workload)
    if d.transform is not None:
        x = transformed(d.transform, b, x)
    if d.head_wide and not d.tied:
        x = x if x.spec.dtype == "float32" else b.apply("cast", x, name="stream_wide", dtype="float32")
        weight = b.parameter(f"{d.head}.weight", (d.vocab_size, d.width), "float32")
        x = b.apply("linear", x, weight, name=d.head)
    else:
        x = linear(b, d.head, x, d.vocab_size, bias=d.head_bias, tied_to=tied)
    if d.logits_scaled:
        x = b.apply("scale", x, name="logits_scaled")
    return capped(b, x, "logits") if d.logits_softcap else x


def transformed(t: Transform, b: Builder, x: Value) -> Value:
    """Returns the stream as the head reads it."""
    with b.scope(t.module):
        y = linear(b, "dense", x, x.spec.shape[-1], bias=t.bias)
        return normed_by(b, "norm", activation(b, t.activation, y), t.norm)


After: TypeAlias = Callable[[Builder, Value], Value]
Merge: TypeAlias = Callable[[Builder, Value, Value], tuple[Value, Mapping[int, After], Mapping[str, Value]]]
"""From the ids and the embedded tokens (batch, seq, width) to those that enter the layers, with what the stream
goes through after so many layers, and what all layers are given besides, by name."""


def interrupted(
    d: Decoder,
    b: Builder,
    x: Value,
    body: Callable[[Layer], Callable[..., Any]],
    constants: Sequence[Value],
    after: Mapping[int, After],
) -> Value:
    """Returns the stream after all layers; it goes through each function of `after` after so many layers."""
    if isinstance(d.layer, Layer) and type(d.count) is not int:
        raise ConfigError(f"the number of layers is {d.count}: the first ones differ, so give a number")
    kinds = (d.layer,) * d.count if isinstance(d.layer, Layer) else d.layer
    if len(kinds) < max(after):
        raise ConfigError(f"the text model has {len(kinds)} layers, and an image adds to the first {max(after)}")
    place = 0
    for count in sorted(after):
        x = after[count](b, stack(b, d.stack, kinds[place:count], body, x, constants, place))
        place = count
    return stack(b, d.stack, kinds[place:], body, x, constants, place)


def check_positions(length: Dim, key: str, limit: Dim) -> None:
    """Raises ConfigError if there are more positions than rows in the published model's table."""
    if has_value(length) and has_value(limit) and length > limit:
        raise ConfigError(
            f"seq_len {length} is beyond {key} {limit}: the published model has no position there; "
            f"add --set {key}={length}"
        )


def with_positions(p: Positions, workload: Workload, b: Builder, x: Value) -> tuple[Value, Value | None]:
    """Returns x with a learned position added to each token; and the ids of the positions if each sequence has its own:
    the rows are looked up by other ids then, behind the table's spare rows."""
    if p.kept:
        every = b.apply("constant", name="position_table", shape=(1, p.count), dtype="int64")
        ids = b.apply("slice", every, name="position_ids", dim=1, start=0, length=workload.seq_len)
    else:
        ids = b.apply("arange", name="position_ids", batch=workload.batch if p.per_sequence else 1, n=workload.seq_len)
    rows = ids
    if p.per_sequence:
        b.hold(ids)
        rows = b.apply("arange", name="row_ids", batch=workload.batch, n=workload.seq_len)
    width = x.spec.shape[-1]
    if p.computed:
        table = b.apply("constant", name=f"{p.name}_weights", shape=(p.count, width), dtype=x.spec.dtype)
        rows = b.apply("reshape", rows, name="row_places", shape=(workload.seq_len,))
        known = b.apply("index_select", table, rows, name=p.name)
        known = b.apply("reshape", known, name="rows_of_places", shape=(1, workload.seq_len, width))
    else:
        known = embedding(b, p.name, rows, p.count, width)
    x = b.apply("add", x, known, name="embed")
    return x, ids if p.per_sequence else None


def first_of(results: Value | tuple[Value, ...]) -> Value:
    """Returns the stream, of what layers return."""
    return results if isinstance(results, Value) else results[0]


def layer(workload: Workload, names: tuple[str, ...], kind: Layer, carried: tuple[str, ...] = ()) -> Callable[..., Any]:
    """Returns the body of one kind of layer, with its constants in the order of `names`. Layers hand the tables of
    `carried` on, beside the stream."""

    def body(b: Builder, x: Value, *given: Value) -> Value | tuple[Value, ...]:
        tables = dict(zip((*carried, *names), given, strict=True))
        b.hold(x, *(tables[name] for name in carried))
        if workload.phase == "train":
            for name in unread(kind, workload, tables):
                b.apply("unread", tables[name], name=name)
        if kind.whole is not None:
            x = kind.whole.apply(kind.whole.settings, workload, b, x, tables)
        else:
            x = (parallel if kind.parallel else serial)(kind, workload, b, x, tables)
        return (x, *(tables[name] for name in carried)) if carried else x

    return body


def serial(kind: Layer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Applies attention, then the feed-forward network to the result."""
    if kind.attention_instead != NOTHING:
        normed = prepared(kind.attention_norm, kind, b, x)
        y = with_beside(kind, kind.beside, workload, b, normed, tables)
        base = normed if kind.residual_normed else x
        x = added(kind, workload, b, base, prepared(kind.attention_post_norm, kind, b, y), "attn")
        x = prepared(kind.attention_stream_norm, kind, b, x)
    if kind.network_instead != NOTHING:
        normed = prepared(kind.mlp_norm, kind, b, x, kind.mlp_norm_kind)
        y = fed(kind, workload, b, normed)
        base = normed if kind.residual_normed else x
        x = added(kind, workload, b, base, prepared(kind.mlp_post_norm, kind, b, y), "mlp")
        x = prepared(kind.mlp_stream_norm, kind, b, x)
    return x


def parallel(kind: Layer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Applies attention and the feed-forward network to the same stream, and adds both."""
    first = prepared(kind.attention_norm, kind, b, x)
    second = prepared(kind.mlp_norm, kind, b, x) if kind.mlp_norm and not kind.stream_last else first
    y = attended(kind, workload, b, first, tables)
    if kind.stream_last:
        y = dropped(b, "attn_dropout", y, kind.dropout, workload)
        b.hold(y)
        z = fed(kind, workload, b, prepared(kind.mlp_norm, kind, b, x) if kind.mlp_norm else first)
        return b.apply("add", added(kind, workload, b, y, z, "mlp"), x, name="residual")
    if kind.outputs_joined:
        z = fed(kind, workload, b, second)
        return added(kind, workload, b, x, b.apply("add", z, y, name="joined"), "mlp")
    y = ready(kind, workload, b, y, "attn")  # a variable of the layer, as z is
    z = fed(kind, workload, b, second)
    z = ready(kind, workload, b, z, "mlp")
    b.hold(y, z)
    return b.apply("add", b.apply("add", x, y, name="attn_residual"), z, name="mlp_residual")


def prepared(name: str, kind: Layer, b: Builder, x: Value, by: Norm | None = None) -> Value:
    """Returns x, normalized if the layer has a norm called `name`, of the layer's kind unless it is given."""
    return normed_by(b, name, x, by or kind.norm) if name else x


def with_beside(
    kind: Layer, beside: Mixing | None, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> Value:
    """Returns attention's output, with that of the module beside it added if there is one."""
    if beside is None:
        return attended(kind, workload, b, x, tables)
    with b.scope(beside.module):
        first = beside.apply(beside.settings, workload, b, x)
    first = b.apply("scale", first, name="beside_scaled")
    b.hold(x, first)
    y = attended(kind, workload, b, b.apply("scale", x, name="attn_in_scaled"), tables)
    y = b.apply("scale", y, name="attn_out_scaled")
    return b.apply("add", first, y, name="mixed")


def attended(kind: Layer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the output of attention's module, or of the module in its place."""
    part = kind.attention
    with b.scope(part.module):
        if isinstance(part, Mixing):
            return part.apply(part.settings, workload, b, x)
        if kind.attention_instead:
            return linear(b, kind.attention_instead, x, x.spec.shape[-1], bias=kind.instead_bias[0])
        y, weights = attention(part, kind.norm, workload, b, x, tables)
    b.hold(*weights, *(tables[name] for name in (CHOSEN,) if name in tables))
    return y


def fed(kind: Layer, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the feed-forward module's output."""
    part = kind.feed_forward
    if isinstance(part, Mlp) and not part.module:
        return mlp(part, b, x, workload)
    with b.scope(part.module):
        b.hold(x)
        if kind.network_instead:
            return linear(b, kind.network_instead, x, x.spec.shape[-1], bias=kind.instead_bias[1])
        y = mlp(part, b, x, workload) if isinstance(part, Mlp) else experts(part, b, x)
    if isinstance(part, Mlp) or part.shared is None or not part.shared_beside:
        return y
    with b.scope(part.shared.module):
        common = mlp(part.shared, b, x)
    return b.apply("add", y, common, name="with_shared")


def added(kind: Layer, workload: Workload, b: Builder, x: Value, y: Value, label: str) -> Value:
    """Returns the stream with a module's output added."""
    if kind.base_scaled:
        x = b.apply("scale", x, name=f"{label}_base_scaled")
    return b.apply("add", x, ready(kind, workload, b, y, label), name=f"{label}_residual")


def ready(kind: Layer, workload: Workload, b: Builder, y: Value, label: str) -> Value:
    """Returns a module's output as it is added to the stream: dropped out, and scaled where the layer says so."""
    p = kind.dropout if label == "mlp" or kind.attention_dropout is None else kind.attention_dropout
    y = dropped(b, f"{label}_dropout", y, p, workload)
    own = kind.scales[label == "mlp"]
    if own:
        y = b.apply("mul", b.parameter(own, y.spec.shape[-1:]), y, name=f"{own}_applied")
    if kind.residual_scaled:
        y = b.apply("scale", y, name=f"{label}_scaled")
    return y
