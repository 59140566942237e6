"""The neck and the heads of dense prediction from a transformer's tokens (Ranftl et al., 2021, arXiv:2103.13413)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, Value, brief, fields, frozen
from graphacct_vision.parts.layers import batch_norm, convolution, resized, transposed

Grid = tuple[Dim, Dim]


def factors(default: Sequence[float]) -> Any:
    """Returns a key that is a list of numbers by which maps grow."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[float, ...]:
        good = not isinstance(value, str) and isinstance(value, Sequence)
        if not good or not all(type(one) in (int, float) and one > 0 for one in value):
            raise ConfigError(f"{field.name} is a list of numbers above 0, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, tuple(default))


@frozen
class Fusion:
    """How maps of several sizes become one.

    Attributes:
        width: The channels of all of them.
        bias: Whether the convolutions beside the stream have biases.
        normed: Whether each is followed by a batch norm.
        matched: Whether each map grows to the next one's size, and not to twice its own.
    """

    width: Dim
    bias: bool = True
    normed: bool = False
    matched: bool = False
    prompted: bool = False


def check_maps(count: int, **lists: Sequence[Any]) -> None:
    """Raises ConfigError for a list that does not have one number for each map."""
    for key, found in lists.items():
        if len(found) != count:
            raise ConfigError(f"{key} has {len(found)} numbers, but {count} maps arrive: one for each")


def by_place(b: Builder, x: Value, grid: Grid, name: str) -> Value:
    """Returns tokens (batch, places, width) as a map, copied."""
    batch, _, width = x.spec.shape
    x = b.apply("reshape", x, name=f"{name}_places", shape=(batch, *grid, width))
    x = b.apply("permute", x, name=f"{name}_channels_first", dims=(0, 3, 1, 2))
    return b.apply("contiguous", x, name=f"{name}_map")


def rescaled(b: Builder, x: Value, channels: Dim, factor: float) -> Value:
    """Returns a map projected to `channels` and made larger or smaller by a factor."""
    x = convolution(b, "projection", x, channels, bias=True)
    if factor > 1:
        return transposed(b, "resize", x, channels, int(factor), stride=int(factor))
    return x if factor == 1 else convolution(b, "resize", x, channels, 3, stride=int(1 / factor), padding=1, bias=True)


def neck(kind: Fusion, b: Builder, maps: Sequence[Value], training: bool) -> list[Value]:
    """Returns the fused maps, from the last one backwards; the builder is in the neck's scope."""
    maps = [convolution(b, f"convs.{place}", x, kind.width, 3, padding=1) for place, x in enumerate(maps)]
    found: list[Value] = []
    turned = list(reversed(maps))
    for place, x in enumerate(turned):
        with b.scope(f"fusion_stage.layers.{place}"):
            if found:
                x = joined(kind, b, found[-1], x, training)
            else:
                idle(kind, b, training)
            with b.scope("residual_layer2"):
                x = beside(kind, b, x, training)
            if kind.prompted:
                unprompted(kind, b)
            rows, columns = x.spec.shape[2:]
            size: tuple[Dim, ...] = (2 * rows, 2 * columns)
            if kind.matched and place + 1 < len(turned):
                size = turned[place + 1].spec.shape[2:]
            x = resized(b, "resized", x, size)
            found.append(convolution(b, "projection", x, kind.width, bias=True))
    return found


def joined(kind: Fusion, b: Builder, x: Value, other: Value, training: bool) -> Value:
    """Returns the stream with another map added, resized to it."""
    if x.spec.shape != other.spec.shape:
        other = resized(b, "other_resized", other, x.spec.shape[2:])
    with b.scope("residual_layer1"):
        other = beside(kind, b, other, training)
    return b.apply("add", x, other, name="joined")


def beside(kind: Fusion, b: Builder, x: Value, training: bool) -> Value:
    """Returns x with two convolutions of it added."""
    y = x
    for place in (1, 2):
        y = b.apply("relu", y, name=f"activation{place}")
        y = convolution(b, f"convolution{place}", y, kind.width, 3, padding=1, bias=kind.bias)
        if kind.normed:
            y = batch_norm(b, f"batch_norm{place}", y, training=training)
    return b.apply("add", y, x, name="residual")


def idle(kind: Fusion, b: Builder, training: bool) -> None:
    """Adds the parameters of a first layer's module that nothing runs."""
    width = kind.width
    with b.scope("residual_layer1"):
        for place in (1, 2):
            parts: list[tuple[str, str, tuple[Dim, ...], bool]]
            parts = [("convolution", "weight", (width, width, 3, 3), False)]
            if kind.bias:
                parts.append(("convolution", "bias", (width,), False))
            if kind.normed:
                parts += [("batch_norm", part, (width,), False) for part in ("weight", "bias")]
                parts += [("batch_norm", f"running_{part}", (width,), True) for part in ("mean", "var")]
                parts.append(("batch_norm", "num_batches_tracked", (), True))
            for module, part, shape, buffer in parts:
                name = f"{module}{place}.{part}"
                dtype = "int64" if part == "num_batches_tracked" else None
                b.apply("resident", b.parameter(name, shape, dtype, buffer=buffer), name=f"{name}_unread")


def unprompted(kind: Fusion, b: Builder) -> None:
    """Adds the parameters of a layer for a coarse depth, which nothing runs without one."""
    width = kind.width
    with b.scope("prompt_depth_layer"):
        for place in (1, 2, 3):
            shape = (width, 1 if place == 1 else width, 3, 3)
            for part, size in (("weight", shape), ("bias", shape[:1])):
                name = f"convolution{place}.{part}"
                b.apply("resident", b.parameter(name, size), name=f"{name}_unread")
