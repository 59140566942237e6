"""A text model that reads images or sounds: what towers and projectors make of them stands in the place of tokens.

A decoding step runs the text model alone: its cache has text and placeholders alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from graphacct import Builder, ConfigError, DeclinedError, Dim, SubModel, Value, Workload, equal, fields, prod
from graphacct_architectures.decoders.parts.decode import After, decode
from graphacct_architectures.decoders.parts.description import Decoder
from graphacct_architectures.decoders.parts.family import Decoding
from graphacct_architectures.residing import reside


@attrs.frozen
class Part:
    """What stands in the place of some tokens.

    Attributes:
        size: The workload's number of these things in a sequence: `images` or `audios`.
        features: Adds their towers and projectors to a builder, which is at the root, and returns the rows, (…, width);
            or a tuple of rows: those, and what is added to the same places after each of the text's first layers; or
            what layers read instead, by the names of their tables, which then stands in no token's place.
    """

    size: str
    features: Callable[[Workload, Builder], Value | tuple[Value, ...] | Mapping[str, Value]]


@attrs.frozen
class Composition:
    """A text model with parts beside it.

    Attributes:
        text: The text model.
        parts: What it reads besides text.
        module: The text model's module.
        head: The head's name; empty if there is none.
        tied: Whether the head shares the embedding's storage.
        softcap: Whether the logits are capped if the text model says so; else the head is all.
        own_head: Whether the head is the text model's own, with all that belongs to it.
    """

    text: Decoder
    parts: tuple[Part, ...]
    module: str = "model.language_model"
    head: str = "lm_head"
    tied: bool = False
    softcap: bool = False
    own_head: bool = False

    @property
    def decoder(self) -> Decoder:
        """The text model where it stands, with the head."""
        d = self.text
        _, _, rest = d.module.partition(".")
        if self.own_head:
            return attrs.evolve(d, module=f"{self.module}.{d.module}", head=f"{self.module}.{d.head}")
        return attrs.evolve(
            d,
            module=f"{self.module}.{rest}" if rest else self.module,
            headless=not self.head,
            head=self.head or d.head,
            head_bias=False,
            tied=self.tied,
            classifier=None,
            logits_scaled=False,
            logits_softcap=self.softcap and d.logits_softcap,
        )


def composed(c: Composition, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from ids, images and sounds to logits, or without a head to the last stream."""
    running = [part for part in c.parts if workload.phase != "decode" and not equal(getattr(workload, part.size), 0)]
    for part in c.parts:
        if part not in running:
            aside = Builder(part.size, b.operators, b.dtype)
            one: dict[str, Any] = {part.size: 1}
            made = part.features(attrs.evolve(workload, **one), aside)
            outputs = (
                tuple(made.values()) if isinstance(made, Mapping) else made if isinstance(made, tuple) else (made,)
            )
            reside(b, aside.graph(*outputs))

    def merge(b: Builder, ids: Value, x: Value) -> tuple[Value, list[After], dict[str, Value]]:
        made = {part.size: part.features(workload, b) for part in running}
        given = {name: value for found in made.values() if isinstance(found, Mapping) for name, value in found.items()}
        rows = {
            size: value if isinstance(value, tuple) else (value,)
            for size, value in made.items()
            if not isinstance(value, Mapping)
        }
        check_places(workload, {size: prod(value[0].spec.shape[:-1]) for size, value in rows.items()})
        after: list[After] = []
        for size, (value, *deep) in rows.items():
            with b.scope(c.module.rpartition(".")[0]):
                found = b.apply("eq", ids, name=f"{size}_places")
                x = merged(b, x, value, elements(b, found, x, size), size)
            after += [partial(added, value=more, mask=found, name=f"{size}_{i}") for i, more in enumerate(deep)]
        return x, after, given

    return decode(c.decoder, workload, b, merge if running else None)


def elements(b: Builder, found: Value, x: Value, size: str) -> Value:
    """Returns which elements of x (batch, seq, width) belong to tokens that stand for images or sounds, which `found`
    (batch, seq) says."""
    mask = b.apply("reshape", found, name=f"{size}_mask", shape=(*found.spec.shape, 1))
    return b.apply("expand", mask, name=f"{size}_elements", shape=x.spec.shape)


def added(b: Builder, x: Value, *, value: Value, mask: Value, name: str) -> Value:
    """Returns a copy of the stream with `value` (tokens, width) added where a mask (batch, seq) is set."""
    count = prod(value.spec.shape[:-1])
    x = b.apply("clone", x, name=f"{name}_stream")
    own = b.apply("index", x, mask, name=f"{name}_selected", dims=(0,), count=count)
    own = b.apply("add", own, value, name=f"{name}_added")
    return b.apply("index_put", x, own, mask, name=f"{name}_merged", dims=(0,), count=count)


def merged(b: Builder, x: Value, rows: Value, mask: Value, size: str) -> Value:
    """Returns the embedded tokens (batch, seq, width) with `rows` in the place of those that stand for them."""
    if rows.spec.shape[-1] != x.spec.shape[-1]:
        raise ConfigError(
            f"the rows of {size} are {rows.spec.shape[-1]} wide, and the text's {x.spec.shape[-1]}: they have to agree"
        )
    return b.apply("masked_scatter", x, mask, rows, name=f"{size}_merged")


def check_places(workload: Workload, rows: dict[str, Dim]) -> None:
    """Raises ConfigError if the sequences have fewer tokens than stand for images and sounds."""
    seq, batch = workload.seq_len, workload.batch
    counts = {size: getattr(workload, size) for size in rows}
    if not all(type(dim) is int for dim in (seq, batch, *rows.values(), *counts.values())):
        return
    needed = sum(total // batch for total in rows.values())
    if seq is not None and seq < needed:
        each = " and ".join(f"{counts[size]} {size} of {rows[size] // batch // counts[size]} tokens" for size in rows)
        fewer = " or ".join(rows)
        raise ConfigError(
            f"seq_len {seq} is shorter than the {needed} placeholders of {each}: seq_len counts text and placeholders "
            f"together, give {needed} or more, or fewer {fewer}"
        )


def text_model(default: str, keys: Mapping[str, Any] | None = None, **rest: Any) -> Any:
    """Returns the key of a text model of any family of decoders; `default` is its `model_type` unless the file says
    one, `keys` are its keys if the file has none, and `rest` are as in `fields.model`."""
    return fields.model(default, keys=keys, fits=decodes, **rest)


def decodes(architecture: Any, key: str) -> None:
    """Raises DeclinedError for a family that is no decoder made of a description."""
    if not isinstance(architecture.build, Decoding):
        raise DeclinedError(
            f"{key}.model_type is {architecture.name!r}, which is not read inside another model: decoders are"
        )


def described(text: SubModel) -> Decoder:
    """Returns the description of a text model."""
    found: Decoder = text.architecture.build.describe(text.config)
    return found
