"""Encoders of texts from one description: norms after each part, learned positions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from graphacct import Builder, ConfigError, Value, Workload, equal
from graphacct_architectures.classifier import classified, token
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.embeddings import distance_biases, embedded
from graphacct_architectures.encoders.parts.heads import POOLED, pooler, predicted
from graphacct_architectures.encoders.parts.layer import Attend, Network, layer
from graphacct_architectures.layers import layer_norm, linear

Stream: TypeAlias = Callable[[Encoder, Workload, Builder], Value]
Finish: TypeAlias = Callable[[Workload, Builder, Value, Value | None], tuple[Value, ...]]


def encode(
    e: Encoder,
    workload: Workload,
    b: Builder,
    streamed: Stream | None = None,
    states: Value | None = None,
    finish: Finish | None = None,
) -> Value | tuple[Value, ...]:
    """Returns the graph from token ids to the last layer's output and the pooled one, or to the heads' outputs.
    `streamed` is what makes the last layer's output, if it is not `stream`; `states` are what another model gives its
    cross-attention. `finish` makes the outputs of a class that has a head of another kind, and returns () if it has
    none."""
    with b.scope(e.module):
        x = stream(e, workload, b, states) if streamed is None else streamed(e, workload, b)
        pooled = pooler(e, b, x) if e.pooled else None
    if finish is not None:
        found = finish(workload, b, x, pooled)
        if found:
            return found
    outputs: tuple[Value, ...] = () if e.head is None else (predicted(e, e.head, b, x),)
    if e.classifier is not None:
        read = pooled if e.classifier.reads == POOLED else token(b, x, e.classifier.reads)
        assert read is not None  # a family whose classifier reads it has a pooler
        outputs += classified(e.classifier, workload, b, read)
    if outputs:
        return outputs
    return x if pooled is None else (x, pooled)


def stream(e: Encoder, workload: Workload, b: Builder, states: Value | None = None) -> Value:
    """Returns the last layer's output. Layers with cross-attention attend to `states`, if there are any."""
    x = embedded(e, workload, b)
    b.hold(x)
    if e.projected or not equal(e.embedding_width, e.width):
        x = linear(b, e.projection, x, e.width)
    tables = (distance_biases(e, workload, b),) if not equal(e.buckets, 0) else ()
    return through(e, workload, b, x, *tables, states=states)


def through(
    e: Encoder,
    workload: Workload,
    b: Builder,
    x: Value,
    *tables: Value,
    states: Value | None = None,
    attend: Attend | None = None,
    network: Network | None = None,
    body: Callable[..., Value] | None = None,
) -> Value:
    """Returns x after the layers and the last norm. `attend` and `network` are the layers' parts, if they are not
    `attention` and `feed_forward`, or `body` is the whole layer; all layers are given `tables`, after the mask of
    causal attention."""
    if e.causal and (workload.attention == "eager" or e.written_out):
        keys = workload.positions
        sizes = {"batch": workload.batch, "seq": workload.seq_len, "keys": keys, "dtype": b.dtype}
        hidden = {"both_ways": True} if e.both_ways else {}
        tables = (b.apply("causal_mask", name="causal_mask", **sizes, **hidden), *tables)
    if states is not None:
        tables += (states,)
    b.hold(*tables)
    usual = partial(layer, attend=attend, network=network, crossing=states is not None)
    body = partial(body or usual, e, workload)
    once = equal(e.groups, 0)
    x = b.repeat(e.names.stack, e.count, body, x, constants=tables) if once else in_groups(e, b, body, x)
    return layer_norm(b, e.last_norm, x) if e.last_norm else x


def in_groups(e: Encoder, b: Builder, body: Callable[[Builder, Value], Value], x: Value) -> Value:
    """Returns the stream after layers of which each runs several times: a group's layers run in turn, over and over,
    before the next group's. Raises ConfigError if the numbers of layers are symbols."""
    sizes = {"num_hidden_layers": e.count, "num_hidden_groups": e.groups, "inner_group_num": e.group}
    for key, value in sizes.items():
        if type(value) is not int:
            raise ConfigError(f"{key} {value} is a symbol: layers that share weights are written out, so give a number")
    count, groups, size = int(e.count), int(e.groups), int(e.group)
    if groups > count:
        raise ConfigError(
            f"num_hidden_groups is {groups} and num_hidden_layers {count}: the class has groups that never run"
        )
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
