"""An encoder and a decoder made of decoders' layers: rotary positions, shared heads, windows; each layer of the second
also attends to the first's output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

import attrs

from graphacct import Builder, Dim, Value, Workload, frozen
from graphacct_architectures.decoders.parts.attention import attended, attention
from graphacct_architectures.decoders.parts.decode import After, decode, first_of
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer, Whole
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import dropped, linear, resident, split_heads
from graphacct_architectures.residing import reside

Entering: TypeAlias = tuple[Value, Mapping[int, After], Mapping[str, Value]]
STATES = "encoder_states"
"""The name of the encoder's output among the tables of a layer."""


@frozen
class Crossed:
    """One layer of the decoder: norms before and after attention, cross attention and the network.

    Attributes:
        own: Its attention.
        cross: Its attention to the encoder's output.
        mlp: Its network.
        norm: The kind of all its norms.
        dropout: The dropout probability of each part's output, in training.
        norms: How the norms around the three parts are called; the second of a part is empty for none.
        states_width: The width of the encoder's output.
    """

    own: Attention
    cross: Attention
    mlp: Mlp
    norm: Norm
    dropout: float
    norms: tuple[tuple[str, str], ...]
    states_width: Dim


def crossed_layer(s: Crossed, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the stream after one layer."""
    names = iter(s.norms)

    def part(label: str, run: Callable[[Value], Value]) -> None:
        nonlocal x
        before, after = next(names)
        y = run(normed_by(b, before, x, s.norm))
        y = normed_by(b, after, y, s.norm) if after else y
        y = dropped(b, f"{label}_dropout", y, s.dropout, workload)
        x = b.apply("add", x, y, name=f"{label}_residual")

    def own(y: Value) -> Value:
        with b.scope(s.own.module):
            y, weights = attention(s.own, s.norm, workload, b, y, tables)
        b.hold(*weights)
        return y

    def cross(y: Value) -> Value:
        with b.scope(s.cross.module):
            return crossing(s, workload, b, y, tables)

    def network(y: Value) -> Value:
        with b.scope(s.mlp.module):
            b.hold(y)
            return mlp(s.mlp, b, y, workload)

    for label, run in (("attn", own), ("cross", cross), ("mlp", network)):
        part(label, run)
    return x


def crossing(s: Crossed, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns what the stream reads of the encoder's output: keys and values are projected once, then kept."""
    a, batch = s.cross, x.spec.shape[0]
    states = tables.get(STATES)
    b.hold(x)
    q = split_heads(b, linear(b, a.q, x, a.heads * a.d_head, bias=a.bias), a.heads, a.d_head, "q")
    found: list[Value] = []
    for label, name in (("k", a.k), ("v", a.v)):
        if states is None:
            shape = (a.kv_heads * a.d_head, s.states_width)
            rest = [b.parameter(f"{name}.bias", shape[:1])] if a.bias else []
            resident(b, name, b.parameter(f"{name}.weight", shape), *rest)
            kept = (batch, a.kv_heads, workload.encoder_seq_len, a.d_head)
            known = b.apply("kv_cache", name=f"{label}_cache", shape=kept, dtype=workload.kv_dtype or b.dtype)
        else:
            known = linear(b, name, states, a.kv_heads * a.d_head, bias=a.bias)
            known = split_heads(b, known, a.kv_heads, a.d_head, label)
            if workload.phase == "prefill":
                known = b.apply("concat", known, name=f"{label}_cached", dim=-2)
        if workload.phase in ("prefill", "decode"):
            b.emit(b.apply("kv_keep", known, name=f"{label}_kept", grows=False))
        found.append(known)
    k, v = found
    y, weights = attended(a, workload, b, q, k, v, tables)
    b.hold(*weights)
    return linear(b, a.out, y, x.spec.shape[-1], bias=a.out_bias)


def with_cross(
    kind: Layer, cross: Attention, dropout: float, norms: tuple[tuple[str, str], ...], width: object
) -> Layer:
    """Returns a layer of the decoder from one of a decoder alone."""
    assert isinstance(kind.attention, Attention)
    assert isinstance(kind.feed_forward, Mlp)
    whole = Crossed(kind.attention, cross, kind.feed_forward, kind.norm, dropout, norms, width)
    return Layer(kind.attention, kind.feed_forward, whole=Whole(whole, crossed_layer))


def encoded(d: Decoder, workload: Workload, b: Builder) -> Value:
    """Returns the encoder's output."""
    phase = "train" if workload.phase == "train" else "forward"
    seen = attrs.evolve(workload, seq_len=workload.encoder_seq_len, phase=phase, cache_len=None)
    x = decode(attrs.evolve(d, headless=True, embedding_scaled=False), seen, b, partial(_scaled, d, {}))
    assert isinstance(x, Value)
    return x


def alone(d: Decoder, workload: Workload, b: Builder) -> Value:
    """Returns the outputs of an encoder alone, with its classifier."""
    seen = attrs.evolve(workload, seq_len=workload.encoder_seq_len)
    return first_of(decode(attrs.evolve(d, embedding_scaled=False), seen, b, partial(_scaled, d, {})))


def both(encoder: Decoder, decoder: Decoder, workload: Workload, b: Builder) -> Value:
    """Returns the decoder's outputs; a decoding step runs it alone, since its cache has what it needs."""
    given: dict[str, Value] = {}
    if workload.phase == "decode":
        aside = Builder("encoder", b.operators, b.dtype)
        states = encoded(encoder, workload, aside)
        reside(b, aside.graph(states))
    else:
        given[STATES] = encoded(encoder, workload, b)
        b.hold(*given.values())
    with b.inside("", "decoder_"):
        plain = attrs.evolve(decoder, embedding_scaled=False)
        found = decode(plain, workload, b, partial(_scaled, decoder, given))
    return first_of(found)


def _scaled(d: Decoder, given: Mapping[str, Value], b: Builder, ids: Value, x: Value) -> Entering:
    """Returns the embedded tokens times a constant that is a tensor, and what all layers are given."""
    if d.embedding_scaled:
        with b.scope(d.module):
            constant = b.apply("full", name="normalizer", shape=(), dtype=x.spec.dtype)
            x = b.apply("mul", x, constant, name="embedding_scaled")
    return x, {}, given
