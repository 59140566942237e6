"""Layers of attention as decoders have them, over a stream that no token ids enter."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import attrs

from graphacct import Builder, Value, Workload, equal, less, prod
from graphacct_architectures.decoders.parts.decode import layer
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.names import POSITIONS
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.stack import stack
from graphacct_architectures.decoders.parts.tables import masks, rotary_tables

NOTHING: Mapping[str, Value] = {}


def streamed(
    d: Decoder,
    workload: Workload,
    b: Builder,
    x: Value,
    *,
    cached: bool = False,
    given: Mapping[str, Value] = NOTHING,
) -> Value:
    """Returns x (batch, positions, width) after all layers and the last norm; the builder is in their scope. Of the
    description, what is before the layers and after the norm is not read. `cached` says that the layers have a cache
    in the phases that have one, `given` what they are given besides, by name."""
    batch, seq, _ = x.spec.shape
    inner = workload
    if not cached:
        phase = "train" if workload.phase == "train" else "forward"
        inner = attrs.evolve(workload, batch=batch, seq_len=seq, cache_len=None, phase=phase)
    tables = {**masks(d, inner, b), **rotary_tables(d, inner, b), **given}
    tables.pop(POSITIONS, None)  # its layers are given none
    b.hold(*tables.values())
    body, constants = partial(layer, inner, tuple(tables)), tuple(tables.values())
    if isinstance(d.layer, Layer):
        start, left = 0, d.count
        if part_of_another(x):  # what a layer returns lies together, in the same order
            with b.scope(f"{d.stack}.0"):
                x = body(d.layer)(b, x, *constants)
            start, left = 1, d.count - 1
        if not equal(left, 0):
            x = b.repeat(d.stack, left, body(d.layer), x, constants=constants, start=start)
    else:
        x = stack(b, d.stack, d.layer, body, x, constants)
    return normed_by(b, d.norm, x, d.norm_kind) if d.norm else x


def part_of_another(x: Value) -> bool:
    """Returns whether a tensor has gaps between its elements, as a part of another one has."""
    if x.spec.strides is None:
        return False
    last = sum((size - 1) * stride for size, stride in zip(x.spec.shape, x.spec.strides, strict=True))
    return less(prod(x.spec.shape), last + 1)
