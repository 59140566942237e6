"""A text model with an encoder and a decoder that reads images: what a tower and a projector make of them stands in the
place of the encoder's tokens.

A decoding step runs the decoder alone: its cache has what it needs of the encoder's output.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, DeclinedError, SubModel, Value, Workload, equal, frozen, prod
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder, Head
from graphacct_architectures.encoder_decoders.parts.run import run
from graphacct_architectures.multimodal.parts.compose import (
    Part,
    check_places,
    check_towers,
    decodes,
    elements,
    merged,
    values,
)
from graphacct_architectures.residing import reside


@frozen
class Paired:
    """A text model of an encoder and a decoder with parts beside it.

    Attributes:
        pair: The text model.
        parts: What its encoder reads besides text.
        module: The module that has all of it; empty if its description names its modules in full.
    """

    pair: EncoderDecoder
    parts: tuple[Part, ...]
    module: str = ""


def paired(c: Paired, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from ids and images to logits, or without a head to the last stream."""
    check_towers(workload, {part.size for part in c.parts})
    rows: dict[str, Value] = {}
    for part in c.parts:
        if workload.phase != "decode" and not equal(getattr(workload, part.size), 0):
            (rows[part.size],) = values(part.features(workload, b))
        else:
            aside = Builder(part.size, b.operators, b.dtype)
            one: dict[str, Any] = {part.size: 1}
            made = part.features(attrs.evolve(workload, **one), aside)
            reside(b, aside.graph(*values(made)))
    counts = {size: prod(value.spec.shape[:-1]) for size, value in rows.items()}
    check_places(workload, counts, "encoder_seq_len")
    b.hold(*rows.values())

    def merge(b: Builder, ids: Value, x: Value) -> Value:
        for size, value in rows.items():
            here = elements(b, b.apply("eq", ids, name=f"{size}_places"), x, size)
            x = merged(b, x, value, here, size)
        return x

    found = merge if rows else None
    if not c.module:
        return run(c.pair, workload, b, found)
    with b.inside(c.module):
        return run(c.pair, workload, b, found)


def pair_of(text: SubModel) -> EncoderDecoder | None:
    """Returns the description of a text model of an encoder and a decoder; None for a decoder."""
    describe = getattr(text.architecture.build, "describe", None)
    found = None if describe is None else describe(text.config)
    return found if isinstance(found, EncoderDecoder) else None


def placed(text: SubModel, root: str, *, tied: bool) -> EncoderDecoder:
    """Returns the description of a pair whose modules are in `root` and `language_model`, with a head beside them, or
    without one if `root` is empty."""
    pair = pair_of(text)
    assert pair is not None  # the check of the key says so
    head = Head(tied=tied) if root else None
    return attrs.evolve(pair, module=f"{root}language_model", head=head, classifier=None)


def writes(architecture: Any, key: str) -> None:
    """Raises DeclinedError for a family that is neither a decoder nor an encoder with a decoder, made of a
    description."""
    if getattr(architecture.build, "describe", None) is None or "encoder_seq_len" not in architecture.sizes:
        decodes(architecture, key)


def pairs(architecture: Any, key: str) -> None:
    """Raises DeclinedError for a family that is no encoder with a decoder, made of a description."""
    if getattr(architecture.build, "describe", None) is None or "encoder_seq_len" not in architecture.sizes:
        raise DeclinedError(
            f"{key}.model_type is {architecture.name!r}, which is not read here: an encoder with a decoder is"
        )
