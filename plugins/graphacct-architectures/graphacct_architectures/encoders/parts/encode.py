"""Encoders of texts from one description: norms after each part, learned positions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import attrs

from graphacct import Builder, ConfigError, Value, Workload, equal, exact_div
from graphacct_architectures.classifier import classified, token
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.layers import (
    activation,
    dropped,
    embedding,
    layer_norm,
    linear,
    merge_heads,
    resident,
    split_heads,
    with_cache,
)

POOLED = "pooled"
"""The value of `reads` for the pooler's output."""


Stream: TypeAlias = Callable[[Encoder, Workload, Builder], Value]


def encode(
    e: Encoder,
    workload: Workload,
    b: Builder,
    streamed: Stream | None = None,
    states: Value | None = None,
) -> Value | tuple[Value, ...]:
    """Returns the graph from token ids to the last layer's output and the pooled one, or to the heads' outputs.
    `streamed` is what makes the last layer's output, if it is not `stream`; `states` are what another model gives its
    cross-attention."""
    with b.scope(e.module):
        x = stream(e, workload, b, states) if streamed is None else streamed(e, workload, b)
        pooled = pooler(e, b, x) if e.pooled else None
    outputs: tuple[Value, ...] = () if e.head is None else (predicted(e, e.head, b, x),)
    if e.classifier is not None:
        read = pooled if e.classifier.reads == POOLED else token(b, x, e.classifier.reads)
        assert read is not None  # a family whose classifier reads it has a pooler
        outputs += classified(e.classifier, workload, b, read)
    if outputs:
        return outputs
    return x if pooled is None else (x, pooled)


def pooler(e: Encoder, b: Builder, x: Value) -> Value:
    """Returns the first token's output, projected."""
    scope, _, name = e.pooler.rpartition(".")
    with b.scope(scope):
        first = b.apply("select", x, name="first" if scope else f"{name}_first", dim=1)
        return b.apply("tanh", linear(b, name, first, e.width), name="activation" if scope else f"{name}_activation")


def stream(e: Encoder, workload: Workload, b: Builder, states: Value | None = None) -> Value:
    """Returns the last layer's output. Layers with cross-attention attend to `states`, if there are any."""
    x = embedded(e, workload, b)
    b.hold(x)
    if e.projected or not equal(e.embedding_width, e.width):
        x = linear(b, e.projection, x, e.width)
    tables: tuple[Value, ...] = ()
    if e.causal and workload.attention == "eager":
        keys = workload.positions
        sizes = {"batch": workload.batch, "seq": workload.seq_len, "keys": keys, "dtype": b.dtype}
        mask = b.apply("causal_mask", name="causal_mask", **sizes)
        tables = (mask,)
    if not equal(e.buckets, 0):
        tables = (distance_biases(e, workload, b),)
    if states is not None:
        tables += (states,)
    b.hold(*tables)
    body = partial(layer, e, workload, crossing=states is not None)
    once = equal(e.groups, 0)
    x = b.repeat(e.names.stack, e.count, body, x, constants=tables) if once else in_groups(e, b, body, x)
    return layer_norm(b, e.last_norm, x) if e.last_norm else x


def distance_biases(e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns biases (batch, heads, seq, seq) from a table of distances, which all layers add to their scores."""
    seq = workload.seq_len
    with b.scope(e.names.stack.rpartition(".")[0]):
        buckets = b.apply("relative_buckets", name="buckets", queries=seq, keys=seq)
        x = embedding(b, "relative_attention_bias", buckets, e.buckets, e.heads)
        x = b.apply("permute", x, name="heads_first", dims=(2, 0, 1))
        x = b.apply("reshape", x, name="position_biases", shape=(1, e.heads, seq, seq))
        x = b.apply("expand", x, name="of_each_text", shape=(workload.batch, e.heads, seq, seq))
        return b.apply("contiguous", x, name="position_biases_copied")


def in_groups(e: Encoder, b: Builder, body: Callable[[Builder, Value], Value], x: Value) -> Value:
    """Returns the stream after layers of which each runs several times: a group's layers run in turn, over and over,
    before the next group's. Raises ConfigError if the numbers of layers are symbols."""
    sizes = {"num_hidden_layers": e.count, "num_hidden_groups": e.groups, "inner_group_num": e.group}
    for key, value in sizes.items():
        if type(value) is not int:
            raise ConfigError(f"{key} {value} is a symbol: layers that share weights are written out, so give a number")
    count, groups, size = int(e.count), int(e.groups), int(e.group)
    turns = [int(index / (count / groups)) for index in range(count)]  # each run's group
    runs = [turns.count(index) for index in range(groups)]

    def layers(b: Builder, x: Value, times: int) -> Value:
        for turn in range(times):
            for index in range(size):
                with b.scope(f"{e.names.layers}.{index}" if size > 1 else ""), b.turn(turn):
                    x = body(b, x)
        return x

    def group(b: Builder, x: Value, times: int) -> Value:
        inside = partial(layers, times=times)
        return inside(b, x) if size > 1 else b.repeat(e.names.layers, 1, inside, x)

    if len(set(runs)) == 1:
        return b.repeat(e.names.stack, groups, partial(group, times=runs[0]), x)
    for index, times in enumerate(runs):
        with b.scope(f"{e.names.stack}.{index}"):
            x = group(b, x, times)
    return x


def embedded(e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns tokens, their types and their positions, added and normalized, with dropout."""
    batch, seq = workload.batch, workload.seq_len
    length = workload.positions
    if type(length) is int and type(e.usable) is int and length > e.usable:
        raise ConfigError(f"seq_len {length} is beyond the {e.usable} positions that the model has learned")
    ids = b.input("input_ids", (batch, seq), "int64")
    with b.scope("embeddings"):
        if e.counted:
            places = b.apply("arange", name="position_ids", batch=batch, n=seq)
        else:
            table = b.apply("constant", name="position_table", shape=(1, e.positions), dtype="int64")
            places = b.apply("slice", table, name="position_ids", dim=1, start=0, length=seq)
        types = None
        if not equal(e.token_types, 0):
            types = b.apply("constant", name="token_type_table", shape=(1, e.positions), dtype="int64")
            rows = places.spec.shape[0]
            types = b.apply("expand", types, name="token_type_rows", shape=(rows, e.positions))
            types = b.apply("gather", types, places, name="token_types", dim=1)
            types = b.apply("expand", types, name="token_type_ids", shape=(batch, seq))
        b.hold(places)
        shared = f"{e.head.decoder}.weight" if e.head is not None and e.head.tied and e.head_owns else ""
        words = b.parameter("word_embeddings.weight", (e.vocab_size, e.embedding_width), tied_to=shared)
        x = b.apply("embedding", ids, words, name="word_embeddings")
        b.hold(x)
        if types is not None:
            kind = embedding(b, "token_type_embeddings", types, e.token_types, e.embedding_width)
            b.hold(types, kind)
            x = b.apply("add", x, kind, name="with_token_types")
        place = embedding(b, "position_embeddings", places, e.positions, e.embedding_width)
        b.hold(place)
        x = b.apply("add", x, place, name="with_positions")
        x = boxed(e, workload, b, x)
        if not equal(e.tasks, 0):
            tasks = b.apply("full", name="task_type_ids", shape=(batch, seq), dtype="int64")
            task = embedding(b, "task_type_embeddings", tasks, e.tasks, e.embedding_width)
            b.hold(tasks, task)
            x = b.apply("add", x, task, name="with_tasks")
        x = layer_norm(b, e.embedding_norm, x) if e.embedding_norm else x
        return dropped(b, "dropout", x, e.dropout, workload)


def boxed(e: Encoder, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns embedded tokens with the rows of their boxes' sides, height and width added, if there are such tables."""
    if equal(e.boxes, 0):
        return x
    box = b.input("bbox", (workload.batch, workload.seq_len, 4), "int64")
    sides = [b.apply("select", box, name=f"side_{index}", dim=-1, index=index) for index in range(4)]
    sizes = {"h": (sides[3], sides[1]), "w": (sides[2], sides[0])}
    places = [*zip("xyxy", sides, strict=True)]
    places += [(name, b.apply("sub", *ends, name=f"box_{name}")) for name, ends in sizes.items()]
    for index, (name, place) in enumerate(places):
        table = b.parameter(f"{name}_position_embeddings.weight", (e.boxes, e.embedding_width))
        row = b.apply(
            "embedding", place, table, name=f"{name}_position_embeddings{'' if index in (0, 1, 4, 5) else '_far'}"
        )
        x = b.apply("add", x, row, name=f"with_box_{index}")
    return x


def layer(
    e: Encoder,
    workload: Workload,
    b: Builder,
    x: Value,
    *tables: Value,
    attend: Attend | None = None,
    crossing: bool = False,
) -> Value:
    """Applies attention, then the feed-forward network; each output is added to its input. Norms are before both
    modules, or after both sums. `attend` is attention, if it is not `attention`; if `crossing`, the last table is what
    cross-attention attends to."""
    n = e.names
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
    y = layer_norm(b, n.norm, x) if e.norm_first else x
    y = activation(b, e.activation, linear(b, n.up, y, e.inner), n.act)
    b.hold(y)
    y = linear(b, n.down, y, e.width)
    y = dropped(b, f"{n.down}_dropout", y, e.dropout if e.network_dropped else 0.0, workload)
    y = b.apply("add", y, x, name="output_residual")
    return y if e.norm_first else layer_norm(b, n.norm, y)


Attend: TypeAlias = Callable[..., tuple[Value, tuple[Value, ...]]]


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
    out, norm = f"{kind}{e.names.out}", f"{kind}{e.names.attention_norm}"
    y, weights = attend(b, layer_norm(b, norm, x) if e.norm_first else x, *given)
    b.hold(*weights)
    y = linear(b, out, y, e.width)
    y = dropped(b, f"{out}_dropout", y, e.dropout if e.output_dropped else 0.0, workload)
    x = b.apply("add", y, x, name=f"{kind}attention_residual")
    return x if e.norm_first else layer_norm(b, norm, x)


def attention(
    e: Encoder, workload: Workload, b: Builder, x: Value, table: Value | None = None
) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side, and with eager attention the weights."""
    written: tuple[Value, ...] = ()
    n, d_head = e.names, exact_div(e.width, e.heads, "hidden_size / num_attention_heads")
    parts = [linear(b, name, x, e.width) for name in (n.query, n.key, n.value)]
    with b.scope(n.attention):
        q, k, v = (split_heads(b, part, e.heads, d_head, label) for part, label in zip(parts, "qkv", strict=True))
        if e.causal:
            k, v = (with_cache(b, part, label, workload) for part, label in ((k, "k"), (v, "v")))
        b.hold(q, k, v)
        drop = e.attention_dropout if workload.phase == "train" else 0
        if workload.attention == "fused" and not e.written_out:
            options: dict[str, Any] = {"dropout_p": drop} if drop else {}
            if e.causal and workload.phase != "decode":
                options["causal"] = True
            y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa", **options)
        else:
            scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
            scores = b.apply("scale", scores, name="scale")
            if table is not None:
                scores = b.apply("add", scores, table, name="mask" if equal(e.buckets, 0) else "biases")
            weights = b.apply("softmax", scores, name="softmax")
            weights = dropped(b, "dropout", weights, drop, workload)
            written = (weights,)
            y = b.apply("matmul", weights, v, name="values")
        return merge_heads(b, y), written


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


def predicted(e: Encoder, head: Head, b: Builder, x: Value) -> Value:
    """Returns the prediction for every token."""
    b.hold(x)
    y = activation(b, head.activation, linear(b, head.dense, x, head.width), f"{head.dense}_act")
    if head.norm:
        y = layer_norm(b, head.norm, y)
    words = f"{e.module}.embeddings.word_embeddings.weight"
    if head.of_words:
        with b.scope(head.decoder):
            table = attrs.evolve(b.parameter("weight", (head.outputs, e.width)), name=words)
            y = b.apply("matmul", y, b.apply("transpose", table, name="words", dims=(0, 1)), name="products")
            return b.apply("add", y, b.parameter(head.bias, (head.outputs,)), name="logits")
    tied = words if head.tied and not e.head_owns else ""
    weight = b.parameter(f"{head.decoder}.weight", (head.outputs, y.spec.shape[-1]), tied_to=tied)
    if head.bias:  # stored under its own name and the projection's
        b.apply("reshape", b.parameter(head.bias, (head.outputs,)), name="stored_bias", shape=(head.outputs,))
    bias = b.parameter(f"{head.decoder}.bias", (head.outputs,), tied_to=head.bias if head.tied else "")
    y = b.apply("linear", y, weight, bias, name=head.decoder)
    return b.apply("select", y, name="logits", dim=-1) if equal(head.outputs, 1) else y
