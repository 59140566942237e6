"""A text model that reads images or sounds: what towers and projectors make of them stands in the place of tokens.

A decoding step runs the text model alone: its cache has text and placeholders alike.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from graphacct import (
    Builder,
    ConfigError,
    DeclinedError,
    Dim,
    SubModel,
    Value,
    Workload,
    equal,
    fields,
    frozen,
    has_value,
    less,
    prod,
)
from graphacct_architectures.decoders.parts.decode import After, decode
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.family import Decoding
from graphacct_architectures.residing import reside

if TYPE_CHECKING:
    from graphacct_architectures.classifier import Classifier


@frozen
class Layered:
    """Rows of images or sounds that are added to the stream at their places, where it has zeros until then.

    Attributes:
        rows: The rows (…, width) that are added before a layer, by its index. Those of layers that are not there are
            made all the same.
    """

    rows: Mapping[int, Value]


Features: TypeAlias = "Value | tuple[Value, ...] | Mapping[str, Value] | Layered"
"""What a part makes."""


@frozen
class Part:
    """What stands in the place of some tokens.

    Attributes:
        size: The workload's number of these things in a sequence: `images` or `audios`.
        features: Adds their towers and projectors to a builder, which is at the root, and returns the rows, (…, width);
            or a tuple of rows: those, and what is added to the same places after each of the text's first layers; or
            what layers read instead, by the names of their tables, which then stands in no token's place; or what is
            added before some layers alone.
        check: Raises ConfigError where its class cannot read such things, although it has the modules; None if it can.
        raises: Whether its rows are added to those of the tokens that stand for it, which are not lost.
    """

    size: str
    features: Callable[[Workload, Builder], Features]
    check: Callable[[], None] | None = None
    raises: bool = False


@frozen
class Composition:
    """A text model with parts beside it.

    Attributes:
        text: The text model.
        parts: What it reads besides text.
        module: The text model's module.
        head: The head's name; empty if there is none.
        tied: Whether the head shares the embedding's storage.
        softcap: Whether the logits are capped if the text model says so; else the head is all.
        scaled: Whether the logits are multiplied by a constant if the text model says so.
        own_head: Whether the head is the text model's own, with all that belongs to it.
        embedded: Returns the embedded tokens that enter the text model, of the ids and the text's own; None for these.
        classifier: A classifier of texts in the head's place; None for the head, or none.
    """

    text: Decoder
    parts: tuple[Part, ...]
    module: str = "model.language_model"
    head: str = "lm_head"
    tied: bool = False
    softcap: bool = False
    own_head: bool = False
    scaled: bool = False
    embedded: Callable[[Builder, Value, Value], Value] | None = None
    classifier: Classifier | None = None

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
            headless=not self.head and self.classifier is None,
            head=self.head or d.head,
            head_bias=False,
            tied=self.tied,
            classifier=self.classifier,
            logits_scaled=self.scaled and d.logits_scaled,
            logits_softcap=self.softcap and d.logits_softcap,
        )


def composed(c: Composition, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from ids, images and sounds to logits, or without a head to the last stream."""
    check_towers(workload, {part.size for part in c.parts})
    running = [part for part in c.parts if workload.phase != "decode" and not equal(getattr(workload, part.size), 0)]
    for part in running:
        if part.check is not None:
            part.check()
    for part in c.parts:
        if part not in running:
            aside = Builder(part.size, b.operators, b.dtype)
            one: dict[str, Any] = {part.size: 1}
            with aside.inside(b.root.removesuffix(".")):
                made = part.features(attrs.evolve(workload, **one), aside)
            reside(b, aside.graph(*values(made)), b.root)

    def merge(b: Builder, ids: Value, x: Value) -> tuple[Value, dict[int, After], dict[str, Value]]:
        if c.embedded is not None:
            x = c.embedded(b, ids, x)
        made = {part.size: part.features(workload, b) for part in running}
        raising = {part.size: part.raises for part in running}
        given: dict[str, Value] = {}
        after: dict[int, After] = {}
        placed = {size: value for size, value in made.items() if not isinstance(value, Mapping)}
        check_places(workload, {size: prod(values(value)[0].spec.shape[:-1]) for size, value in placed.items()})
        for size, value in made.items():
            if isinstance(value, Mapping):
                given |= value
                continue
            with b.scope(c.module.rpartition(".")[0]):
                found = b.apply("eq", ids, name=f"{size}_places")
                here = elements(b, found, x, size)
                if isinstance(value, Layered):
                    x = b.apply("masked_fill", x, here, name=f"{size}_cleared")
                    later = {layer: rows for layer, rows in value.rows.items() if less(layer, layers(c.text))}
                else:
                    first, *deep = values(value)
                    if raising[size]:
                        first = raised(b, x, first, found, size)
                    x = merged(b, x, first, here, size)
                    later = dict(enumerate(deep, 1))
            for place, (count, more) in enumerate(later.items()):
                after[count] = partial(added, value=more, mask=found, name=f"{size}_{place}")
        return x, after, given

    return decode(c.decoder, workload, b, merge if running or c.embedded is not None else None)


def check_towers(workload: Workload, sizes: Collection[str]) -> None:
    """Raises ConfigError for images or sounds that the model has no tower for."""
    for size in ("images", "audios"):
        count = getattr(workload, size)
        if size not in sizes and count is not None and not equal(count, 0):
            raise ConfigError(f"{size} is {count}: the file describes no tower for {size}, leave {size} out or give 0")


def placeholders(parts: Sequence[Part], workload: Workload, operators: Mapping[str, Any]) -> Dim:
    """Returns how many tokens of each sequence stand for images or sounds."""
    total: Dim = 0
    for part in parts:
        if not equal(getattr(workload, part.size), 0):
            made = part.features(attrs.evolve(workload, batch=1), Builder(part.size, operators, "float32"))
            if not isinstance(made, Mapping):
                total += prod(values(made)[0].spec.shape[:-1])
    return total


def layers(d: Decoder) -> Dim:
    """Returns how many layers a text model has."""
    return len(d.layer) if isinstance(d.layer, tuple) else d.count


def values(made: Features) -> tuple[Value, ...]:
    """Returns all that a part makes."""
    if isinstance(made, Layered):
        return tuple(made.rows.values())
    return tuple(made.values()) if isinstance(made, Mapping) else made if isinstance(made, tuple) else (made,)


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


def raised(b: Builder, x: Value, rows: Value, mask: Value, size: str) -> Value:
    """Returns `rows` with those of the tokens that stand for them, which a mask (batch, seq) says, added."""
    count = prod(rows.spec.shape[:-1])
    own = b.apply("index", x, mask, name=f"{size}_tokens", dims=(0,), count=count)
    found: Value = b.apply("add", own, rows, name=f"{size}_raised")
    return found


def merged(b: Builder, x: Value, rows: Value, mask: Value, size: str) -> Value:
    """Returns the embedded tokens (batch, seq, width) with `rows` in the place of those that stand for them."""
    if rows.spec.shape[-1] != x.spec.shape[-1]:
        raise ConfigError(
            f"the rows of {size} are {rows.spec.shape[-1]} wide, and the text's {x.spec.shape[-1]}: they have to agree"
        )
    return b.apply("masked_scatter", x, mask, rows, name=f"{size}_merged")


def check_places(workload: Workload, rows: dict[str, Dim], key: str = "seq_len") -> None:
    """Raises ConfigError if the sequences, whose length is the workload's `key`, have fewer tokens than stand for
    images and sounds."""
    seq, batch = getattr(workload, key), workload.batch
    counts = {size: getattr(workload, size) for size in rows}
    if not all(has_value(dim) for dim in (seq, batch, *rows.values(), *counts.values())):
        return
    needed = sum(total // batch for total in rows.values())
    if seq is not None and seq < needed:
        each = " and ".join(f"{counts[size]} {size} of {rows[size] // batch // counts[size]} tokens" for size in rows)
        fewer = " or ".join(rows)
        raise ConfigError(
            f"{key} {seq} is shorter than the {needed} placeholders of {each}: {key} counts text and placeholders "
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
