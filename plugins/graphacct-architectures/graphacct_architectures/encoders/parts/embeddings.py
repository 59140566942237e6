"""What enters an encoder of texts: tokens with their positions, types and boxes, and biases by distance."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, has_value
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.layers import dropped, embedding, layer_norm

Change: TypeAlias = Callable[[Builder, Value], Value]


def embedded(
    e: Encoder,
    workload: Workload,
    b: Builder,
    entering: Change | None = None,
    extra: Change | None = None,
    row_width: Dim | None = None,
    places: Value | None = None,
    ids: Value | None = None,
) -> Value:
    """Returns tokens, their types and their positions, added and normalized, with dropout. `entering` changes the
    tokens' rows first, and `extra` the sum before its norm; `row_width` is that of the other tables, if it differs, and
    `places` are the positions and `ids` the tokens, if they are there already."""
    width = e.embedding_width if row_width is None else row_width
    batch, seq = workload.batch, workload.seq_len
    length = workload.positions
    if has_value(length) and has_value(e.usable) and length > e.usable:
        raise ConfigError(f"seq_len {length} is beyond the {e.usable} positions that the model has learned")
    if ids is None:
        ids = b.input("input_ids", (batch, seq), "int64")
    with b.scope("embeddings"):
        if places is not None:
            pass
        elif e.counted:
            places = b.apply("arange", name="position_ids", batch=batch, n=seq)
        else:
            table = b.apply("constant", name="position_table", shape=(1, e.positions), dtype="int64")
            places = b.apply("slice", table, name="position_ids", dim=1, start=0, length=seq)
        types = None
        if e.types_made and not equal(e.token_types, 0):
            types = b.apply("full", name="token_type_ids", shape=(batch, seq), dtype="int64")
        elif not equal(e.token_types, 0):
            types = b.apply("constant", name="token_type_table", shape=(1, e.positions), dtype="int64")
            if e.types_sliced:
                types = b.apply("slice", types, name="token_types", dim=1, start=0, length=seq)
            else:
                rows = places.spec.shape[0]
                types = b.apply("expand", types, name="token_type_rows", shape=(rows, e.positions))
                types = b.apply("gather", types, places, name="token_types", dim=1)
            types = b.apply("expand", types, name="token_type_ids", shape=(batch, seq))
        b.hold(places)
        shared = f"{e.head.decoder}.weight" if e.head is not None and e.head.tied and e.head_owns else ""
        words = b.parameter("word_embeddings.weight", (e.vocab_size, e.embedding_width), tied_to=shared)
        x = b.apply("embedding", ids, words, name="word_embeddings")
        b.hold(x)
        x = x if entering is None else entering(b, x)
        if types is not None:
            kind = embedding(b, "token_type_embeddings", types, e.token_types, width)
            b.hold(types, kind)
            x = b.apply("add", x, kind, name="with_token_types")
        place = embedding(b, "position_embeddings", places, e.positions, width)
        b.hold(place)
        x = b.apply("add", x, place, name="with_positions")
        x = boxed(e, workload, b, x)
        if not equal(e.tasks, 0):
            tasks = b.apply("full", name="task_type_ids", shape=(batch, seq), dtype="int64")
            task = embedding(b, "task_type_embeddings", tasks, e.tasks, width)
            b.hold(tasks, task)
            x = b.apply("add", x, task, name="with_tasks")
        x = x if extra is None else extra(b, x)
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
