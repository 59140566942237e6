"""Layers that read the keys and values of an earlier layer, and inputs that each layer has of its own.

Of each kind of attention the last layer before the reading ones lends its keys and values. Only layers with keys and
values of their own have a cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, frozen
from graphacct_architectures.decoders.parts.attention import attended
from graphacct_architectures.decoders.parts.decode import layer
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.names import mask_name
from graphacct_architectures.decoders.parts.norms import normed_by, projection
from graphacct_architectures.decoders.parts.projections import head_normed, of_their_own
from graphacct_architectures.decoders.parts.rotary import rotated
from graphacct_architectures.decoders.parts.stack import stack
from graphacct_architectures.layers import embedding, linear

PER_LAYER = "per_layer_inputs"
"""The name of the table with all layers' own inputs."""
OWN, LENDING, BORROWING = "own", "lending", "borrowing"


@frozen
class PerLayer:
    """Inputs of each layer (Gemma 3n): rows of a second table of the tokens, and projections of the stream.

    Attributes:
        vocab_size: Rows of that table.
        layers: The number of layers.
        width: The width of one layer's input.
        norm: The kind of the norm of the projections.
        in_place: Whether the projections are multiplied by their constant in place.
    """

    vocab_size: Dim
    layers: int
    width: Dim
    norm: Norm
    in_place: bool = False


@frozen
class Lender:
    """Whose keys and values a layer's attention reads.

    Attributes:
        word: The kind of attention, by which lent keys and values are named.
        role: `own`, `lending` or `borrowing`.
    """

    word: str
    role: str = OWN


def roles(kinds: tuple[str, ...], shared: Dim) -> tuple[str, ...]:
    """Returns each layer's role, of which the last `shared` borrow from the last ones of their kind before them.

    Raises ConfigError if a kind has no such layer.
    """
    if equal(shared, 0):
        return (OWN,) * len(kinds)
    if type(shared) is not int:
        raise ConfigError(f"num_kv_shared_layers is {shared}: give a number, the layers of this model differ")
    first = len(kinds) - shared
    if first < 1 or set(kinds[:first]) != set(kinds):
        raise ConfigError(
            f"num_kv_shared_layers is {shared} of {len(kinds)} layers: each kind of attention needs a layer before "
            "them, whose keys and values they read"
        )
    lenders = {max(index for index in range(first) if kinds[index] == kind) for kind in set(kinds)}
    return tuple(BORROWING if i >= first else LENDING if i in lenders else OWN for i in range(len(kinds)))


def attention_of(
    a: Attention, lender: Lender, kind: Norm, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> tuple[Value, tuple[Value, ...], tuple[Value, Value]]:
    """Adds attention over x (batch, seq, width); the builder is in its scope. Returns the output, with eager attention
    the weights, and the keys and values."""
    width = x.spec.shape[-1]
    b.hold(x)
    if lender.role == BORROWING:
        q = linear(b, a.q, x, a.heads * a.d_head, bias=a.bias)
        q = head_normed(b, q, a.heads, a.d_head, "q", a.qk_norm_names[0], a.qk_norm_kind or kind)
        q = rotated(a, b, q, tables[f"{a.rotary_tables}.cos"], tables[f"{a.rotary_tables}.sin"], "q")
        k, v = (tables[f"{lender.word}.{label}"] for label in "kv")
    else:
        q, k, v, _ = of_their_own(a, kind, workload, b, x, tables)
    if not equal(x.spec.shape[1], workload.seq_len):  # the last tokens alone see all keys
        a = attrs.evolve(a, causal=False)
    y, weights = attended(a, workload, b, q, k, v, tables)
    return projection(a.in_out, b, a.out, y, width, a.out_bias), weights, (k, v)


def per_layer_inputs(p: PerLayer, b: Builder, ids: Value, x: Value) -> Value:
    """Returns the inputs of all layers, (batch, seq, layers, width)."""
    batch, seq = ids.spec.shape
    shape = (batch, seq, p.layers, p.width)
    rows = embedding(b, "embed_tokens_per_layer", ids, p.vocab_size, p.layers * p.width)
    rows = b.apply("scale", rows, name="per_layer_scaled")
    rows = b.apply("reshape", rows, name="per_layer_rows", shape=shape)
    projected = linear(b, "per_layer_model_projection", x, p.layers * p.width, bias=False)
    options = {"in_place": True} if p.in_place else {}
    projected = b.apply("scale", projected, name="per_layer_projection_scaled", **options)
    projected = b.apply("reshape", projected, name="per_layer_projected", shape=shape)
    projected = normed_by(b, "per_layer_projection_norm", projected, p.norm)
    both = b.apply("add", projected, rows, name="per_layer_sum")
    found: Value = b.apply("scale", both, name=PER_LAYER)
    return found


def own_input(b: Builder, tables: Mapping[str, Value]) -> Value:
    """Returns one layer's input of those of all layers: a view. All are alike, so this is the first's."""
    own: Value = b.apply("select", tables[PER_LAYER], name="per_layer_input", dim=2)
    return own


def lent_stack(
    roles_: tuple[str, ...],
    words: tuple[str, ...],
    d: Decoder,
    workload: Workload,
    b: Builder,
    x: Value,
    tables: Any,
    *,
    shortened: bool = True,
) -> Value:
    """Returns the stream after all layers. A lending layer stands alone, and hands its keys and values to those after
    the last of them.

    If only the last position's logits are asked for and the stack may be `shortened`, the borrowing layers run the last
    tokens alone, as Gemma 4's class does.
    """
    assert not isinstance(d.layer, Layer)
    tables = dict(tables)
    start = 0
    while start < len(roles_):
        strided = False
        last = shortened and workload.logits == "last" and equal(x.spec.shape[1], workload.seq_len)
        if last and roles_[start] == BORROWING:
            x, tables = last_alone(d, workload, b, x, tables)
            strided = x.spec.strides is not None  # the next layers take what a layer returns, in its order in memory
        names = tuple(tables)
        if strided or roles_[start] == LENDING:
            with b.scope(f"{d.stack}.{start}"):
                found: Any = layer(workload, names, d.layer[start])(b, x, *tables.values())
            if roles_[start] == LENDING:
                x, k, v = found
                tables |= {f"{words[start]}.k": k, f"{words[start]}.v": v}
                b.hold(k, v)
            else:
                x = found
            start += 1
            continue
        end = next((i for i in range(start, len(roles_)) if roles_[i] != roles_[start]), len(roles_))
        x = stack(b, d.stack, d.layer[start:end], partial(layer, workload, names), x, tuple(tables.values()), start)
        start = end
    return x


def last_alone(
    d: Decoder, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> tuple[Value, dict[str, Value]]:
    """Returns the last position of the stream and of each table of the queries' positions: views."""
    masks = {mask_name(kind.attention, workload) for kind in d.kinds if isinstance(kind.attention, Attention)}

    def last(value: Value, name: str, dim: int) -> Value:
        one: Value = b.apply("slice", value, name=f"{name}_last", dim=dim, start=value.spec.shape[dim] - 1, length=1)
        return one

    found = {}
    for name, table in tables.items():
        queries = name in masks or name.endswith((".cos", ".sin"))
        found[name] = last(table, name, 1) if name == PER_LAYER else last(table, name, -2) if queries else table
    return last(x, "stream", 1), found
