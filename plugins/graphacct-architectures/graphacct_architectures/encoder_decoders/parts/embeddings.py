"""What the stacks of an encoder and a decoder read: tokens or sounds, with their positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from graphacct import Builder, ConfigError, Dim, Value, Workload, has_value
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder, Positions, Stack
from graphacct_architectures.layers import dropped

Merge: TypeAlias = Callable[[Builder, Value, Value], Value]
"""From the encoder's ids and its embedded tokens (batch, seq, width) to those that enter its layers."""


def embedded(
    d: EncoderDecoder, stack: Stack, workload: Workload, b: Builder, entering: Value, merge: Merge | None = None
) -> Value:
    """Returns the stream that enters the layers."""
    if stack.entry is not None:
        return stack.entry.stream(workload, b, entering)
    if stack.frames is not None:
        x = convolved(b, entering, d.width)
    else:
        tied = d.table if d.shared and d.shares else ""
        words = d.decoder_words if stack is d.decoder and d.decoder_words is not None else d.vocab_size
        x = looked_up(b, stack.table, entering, words, d.width, tied_to=tied)
        if stack.table_scaled:
            x = b.apply("scale", x, name="embedding_scaled")
        if merge is not None:
            x = merge(b, entering, x)
    b.hold(x)
    places = stack.positions
    if places is not None and not places.after_norm:
        x = placed(places, stack is d.encoder, workload, b, x)
    if stack.embedding_norm:
        x = normed_by(b, stack.embedding_norm, x, stack.norm_kind)
    if places is not None and places.after_norm:
        x = placed(places, stack is d.encoder, workload, b, x)
    return dropped(b, "drop", x, d.dropout, workload)


def looked_up(
    b: Builder, name: str, ids: Value, count: Dim, width: Dim, *, tied_to: str = "", frozen: bool = False
) -> Value:
    """Returns the rows of a table."""
    table = b.parameter(f"{name}.weight", (count, width), tied_to=tied_to, frozen=frozen)
    return b.apply("embedding", ids, table, name=name)


def convolved(b: Builder, x: Value, width: Dim) -> Value:
    """Returns frames (batch, bins, frames) as a stream of half as many positions."""
    for name, stride in (("conv1", 1), ("conv2", 2)):
        weight, bias = b.parameter(f"{name}.weight", (width, x.spec.shape[1], 3)), b.parameter(f"{name}.bias", (width,))
        x = b.apply("convolution", x, weight, bias, name=name, stride=stride, padding=1)
        x = b.apply("gelu", x, name=f"{name}_act")
    return b.apply("permute", x, name="positions_last", dims=(0, 2, 1))


def placed(p: Positions, in_encoder: bool, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x with a position added to each token. Raises ConfigError if too few positions were learned."""
    batch, seq, width = x.spec.shape
    length, name = (seq, "encoder_seq_len") if in_encoder else (workload.positions, "seq_len")
    if has_value(length) and has_value(p.usable) and length > p.usable and not p.computed:
        raise ConfigError(f"{name} {length} is beyond the {p.usable} positions that the model has learned")
    ids = b.apply("arange", name="position_ids", batch=batch if p.per_sequence else 1, n=seq)
    if p.computed:
        count = p.count
        if has_value(length) and has_value(p.usable) and length > p.usable:
            count += length - p.usable
        table = b.apply("constant", name=f"{p.name}_weights", shape=(count, width), dtype=b.dtype)
        rows = b.apply("embedding", ids, table, name=p.name)
    else:
        rows = looked_up(b, p.name, ids, p.count, width, frozen=p.frozen)
    b.hold(ids, rows)
    return b.apply("add", x, rows, name="embed")
