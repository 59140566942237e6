"""Decoder-only language models built from one description, which each family fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, exact_div, less, minimum
from graphacct_architectures.classifier import classified
from graphacct_architectures.decoders.parts.attention import ALIBI, attention, capped, mask_name, normed_by
from graphacct_architectures.decoders.parts.description import (
    Attention,
    Decoder,
    Layer,
    Mlp,
    Positions,
)
from graphacct_architectures.decoders.parts.feed_forward import experts, mlp
from graphacct_architectures.decoders.parts.stack import stack
from graphacct_architectures.layers import dropped, embedding, for_logits, linear


def decode(d: Decoder, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph of a decoder from token ids to logits, or to its class's outputs."""
    batch, seq = workload.batch, workload.seq_len
    assert seq is not None
    if d.most_positions is not None:
        check_positions(workload.positions, *d.most_positions)
    ids = b.input("input_ids", (batch, seq), "int64")
    with b.scope(d.module):
        narrow = d.embedding_width
        x = embedding(b, d.embedding, ids, d.vocab_size, d.width if narrow is None else narrow)
        if d.embedding_scaled:
            x = b.apply("scale", x, name="embedding_scaled")
        if narrow is not None:
            x = linear(b, d.project_in, x, d.width, bias=False)
        if d.positions is not None:
            x = with_positions(d.positions, workload, b, x)
        if d.embedding_norm:
            x = normed_by(b, d.embedding_norm, x, d.norm_kind)
        b.hold(x)
        x = dropped(b, "drop", x, d.embedding_dropout, workload)
        tables = {**masks(d, workload, b), **rotary_tables(d, workload, b)}
        b.hold(*tables.values())
        body = partial(layer, workload, tuple(tables))
        constants = tuple(tables.values())
        if isinstance(d.layer, Layer):
            x = b.repeat(d.stack, d.count, body(d.layer), x, constants=constants)
        else:
            x = stack(b, d.stack, d.layer, body, x, constants)
        if d.norm:
            x = normed_by(b, d.norm, x, d.norm_kind)
        if narrow is not None:
            x = linear(b, d.project_out, x, narrow, bias=False)
    if d.headless:
        return x
    b.hold(x)
    if d.classifier is not None:
        return classified(d.classifier, workload, b, x)
    tied = f"{d.module}.{d.embedding}.weight" if d.tied else ""
    x = linear(b, d.head, for_logits(b, x, workload), d.vocab_size, bias=d.head_bias, tied_to=tied)
    if d.logits_scaled:
        x = b.apply("scale", x, name="logits_scaled")
    return capped(b, x, "logits") if d.logits_softcap else x


def check_positions(length: Dim, key: str, limit: Dim) -> None:
    """Raises ConfigError if there are more positions than rows in the published model's table."""
    if type(length) is int and type(limit) is int and length > limit:
        raise ConfigError(
            f"seq_len {length} is beyond {key} {limit}: the published model has no position there; "
            f"add --set {key}={length}"
        )


def with_positions(p: Positions, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x with a learned position added to each token."""
    batch = workload.batch if p.per_sequence else 1
    ids = b.apply("arange", name="position_ids", batch=batch, n=workload.seq_len)
    return b.apply("add", x, embedding(b, p.name, ids, p.count, x.spec.shape[-1]), name="embed")


def masks(d: Decoder, workload: Workload, b: Builder) -> dict[str, Value]:
    """Returns the masks that the layers add to their scores, by name, one of each kind for the whole model.

    Attention in one operator needs a mask only if it is more than causal: slopes, or bools for a window that the
    sequence reaches; or if the model always makes one.
    """
    seq, length = workload.seq_len, workload.positions
    found: dict[str, Value] = {}
    whole = workload.attention != "eager"
    for a in dict.fromkeys(kind.attention for kind in d.kinds):
        name = mask_name(a)
        keys = length
        if workload.phase == "decode" and a.window is not None and a.window_cached:
            keys = minimum(length, a.window)
        within = workload.phase == "decode" and a.window_cached
        plain = (
            not a.alibi
            and not (a.masked and workload.phase != "decode")
            and (a.window is None or within or fits(length, a.window))
        )
        if name in found or (whole and plain):
            continue
        if whole and not a.alibi:
            found[name] = seen(b, name, workload.batch, seq, keys)
            continue
        kind = {"batch": workload.batch, "seq": seq, "keys": keys, "dtype": b.dtype}
        found[name] = b.apply("causal_mask", name=name, **kind)
        if a.alibi:
            biases = slopes(a, b, keys)
            if whole:
                found[name] = b.apply("add", found[name], biases, name="alibi_mask")
            else:
                found[ALIBI] = biases
    return found


def seen(b: Builder, name: str, batch: Dim, seq: Dim | None, keys: Dim) -> Value:
    """Returns which keys each query sees, as bools, once for all sequences; each layer's attention makes floats of
    them."""
    mask = b.apply("causal_mask", name=name, seq=seq, keys=keys, dtype="bool")
    return b.apply("expand", mask, name=f"{name}_each", shape=(batch, 1, seq, keys))


def fits(length: Dim, window: Dim) -> bool:
    """Returns whether a length is shorter than a window, when the transformers library makes no mask; a symbol is in
    general no shorter."""
    return less(length, window)


def slopes(a: Attention, b: Builder, keys: Dim) -> Value:
    """Returns each head's slope times each key's position, (heads, 1, keys). Softmax cancels the difference from slopes
    times distances."""
    rates = b.apply("constant", name="alibi_slopes", shape=(a.heads, 1, 1), dtype=b.dtype)
    places = b.apply("constant", name="alibi_places", shape=(1, 1, keys), dtype=b.dtype)
    return b.apply("mul", rates, places, name="alibi_biases")


def rotary_tables(d: Decoder, workload: Workload, b: Builder) -> dict[str, Value]:
    """Returns cosine and sine of each position's angles, made in float32 once for the whole model."""
    found: dict[str, Value] = {}
    held: list[Value] = []
    for name, width in d.rotary_tables:
        if equal(width, 0):
            continue
        half = exact_div(width, 2, "dimensions rotated / 2")
        if not equal(d.rotary_stored, 0):
            found |= stored_tables(d, name, width, workload, b)
            continue
        with b.scope(name):
            places = b.apply("arange", name="positions", batch=1, n=workload.seq_len)
            held.append(places)
            places = b.apply("reshape", places, name="column", shape=(workload.seq_len, 1))
            places = b.apply("cast", places, name="places", dtype="float32")
            rates = b.apply("constant", name="inv_freq", shape=(1, half), dtype="float32")
            angles = b.apply("mul", places, rates, name="freqs")
            if not (d.rotary_complex or d.rotary_halves):
                angles = b.apply("concat", angles, angles, name="emb", dim=-1)
            for function in ("cos", "sin"):
                table = b.apply("scale", b.apply(function, angles, name=function), name=f"{function}_scaled")
                if b.dtype != "float32" and d.rotary_cast and not d.rotary_complex:
                    table = b.apply("cast", table, name=f"{function}_table", dtype=b.dtype)
                found[f"{name}.{function}"] = table
    b.hold(*held)  # the model's function holds the positions
    return found


def stored_tables(d: Decoder, name: str, width: Dim, workload: Workload, b: Builder) -> dict[str, Value]:
    """Returns sine and cosine of each pair's angle, (seq, width / 2): parts of the rows that are read of a table."""
    with b.scope(name):
        stored = b.apply("constant", name="embed_positions", shape=(d.rotary_stored, width), dtype="float32")
        places = b.apply("arange", name="positions", batch=1, n=workload.seq_len)
        places = b.apply("reshape", places, name="row", shape=(workload.seq_len,))
        both = b.apply("index_select", stored, places, name="sincos")
        if d.rotary_cast and b.dtype != "float32":
            both = b.apply("cast", both, name="sincos_table", dtype=b.dtype)
        sin, cos = b.apply("split", both, name="sin_and_cos", parts=2)
    b.hold(places)
    return {f"{name}.cos": cos, f"{name}.sin": sin}


def layer(workload: Workload, names: tuple[str, ...], kind: Layer) -> Callable[..., Value]:
    """Returns the body of one kind of layer, with its constants in the order of `names`."""

    def body(b: Builder, x: Value, *constants: Value) -> Value:
        tables = dict(zip(names, constants, strict=True))
        b.hold(x)
        return parallel(kind, workload, b, x, tables) if kind.parallel else serial(kind, workload, b, x, tables)

    return body


def serial(kind: Layer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Applies attention, then the feed-forward network to the result."""
    normed = prepared(kind.attention_norm, kind, b, x)
    y = attended(kind, workload, b, normed, tables)
    base = normed if kind.residual_normed else x
    x = added(kind, workload, b, base, prepared(kind.attention_post_norm, kind, b, y), "attn")
    x = prepared(kind.attention_stream_norm, kind, b, x)
    normed = prepared(kind.mlp_norm, kind, b, x)
    y = fed(kind, b, normed)
    base = normed if kind.residual_normed else x
    x = added(kind, workload, b, base, prepared(kind.mlp_post_norm, kind, b, y), "mlp")
    return prepared(kind.mlp_stream_norm, kind, b, x)


def parallel(kind: Layer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Applies attention and the feed-forward network to the same stream, and adds both."""
    first = prepared(kind.attention_norm, kind, b, x)
    second = prepared(kind.mlp_norm, kind, b, x) if kind.mlp_norm and not kind.stream_last else first
    y = attended(kind, workload, b, first, tables)
    if kind.stream_last:
        y = dropped(b, "attn_dropout", y, kind.dropout, workload)
        b.hold(y)
        z = fed(kind, b, prepared(kind.mlp_norm, kind, b, x) if kind.mlp_norm else first)
        return b.apply("add", added(kind, workload, b, y, z, "mlp"), x, name="residual")
    z = fed(kind, b, second)
    if kind.outputs_joined:
        return added(kind, workload, b, x, b.apply("add", z, y, name="joined"), "mlp")
    x = added(kind, workload, b, x, y, "attn")
    return added(kind, workload, b, x, z, "mlp")


def prepared(name: str, kind: Layer, b: Builder, x: Value) -> Value:
    """Returns x, normalized if the layer has a norm called `name`."""
    return normed_by(b, name, x, kind.norm) if name else x


def attended(kind: Layer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the attention module's output."""
    with b.scope(kind.attention.module):
        y, weights = attention(kind.attention, kind.norm, workload, b, x, tables)
    b.hold(*weights)
    return y


def fed(kind: Layer, b: Builder, x: Value) -> Value:
    """Returns the feed-forward module's output."""
    part = kind.feed_forward
    if isinstance(part, Mlp) and not part.module:
        return mlp(part, b, x)
    with b.scope(part.module):
        b.hold(x)
        return mlp(part, b, x) if isinstance(part, Mlp) else experts(part, b, x)


def added(kind: Layer, workload: Workload, b: Builder, x: Value, y: Value, label: str) -> Value:
    """Returns the stream with a module's output added."""
    p = kind.dropout if label == "mlp" or kind.attention_dropout is None else kind.attention_dropout
    y = dropped(b, f"{label}_dropout", y, p, workload)
    if kind.residual_scaled:
        y = b.apply("scale", y, name=f"{label}_scaled")
    return b.apply("add", x, y, name=f"{label}_residual")
