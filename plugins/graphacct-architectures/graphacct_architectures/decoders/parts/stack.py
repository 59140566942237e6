"""Stacks layers that differ, in as few blocks as their order allows.

Layers that alternate (a window in five of six) form one block whose body is the period. Layers outside any period form
blocks of their own. Only equal layers share a body.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, TypeVar

from graphacct import Builder, ConfigError, Dim, Value

Kind = TypeVar("Kind", bound=Hashable)
LONGEST_PERIOD = 16
"""The longest period, in layers, that is searched for; published patterns have up to 8."""


def runs(kinds: Sequence[Kind]) -> Iterator[tuple[int, tuple[Kind, ...], int]]:
    """Yields the first index, the period and the number of repetitions of each run, in order.

    Each run starts where the last one ended, with the period that covers the most layers, or the shortest of equals.
    """
    start = 0
    while start < len(kinds):
        longest = min(LONGEST_PERIOD, len(kinds) - start)
        found = [(_repetitions(kinds, start, period), period) for period in range(1, longest + 1)]
        repeated = [(times * period, -period) for times, period in found if times > 1 or period == 1]
        covered, period = max(repeated)
        yield start, tuple(kinds[start : start - period]), covered // -period
        start += covered


def _repetitions(kinds: Sequence[Kind], start: int, period: int) -> int:
    """Returns how often the `period` kinds from `start` repeat in sequence."""
    end = start + period
    while end + period <= len(kinds) and kinds[end : end + period] == kinds[start : start + period]:
        end += period
    return (end - start) // period


def stack(
    b: Builder,
    name: str,
    kinds: Sequence[Kind],
    layer: Callable[[Kind], Callable[..., Any]],
    x: Any,
    constants: Sequence[Value] = (),
    first: int = 0,
    count: Dim | None = None,
) -> Any:
    """Returns the stream after all layers, of which `first` is the first one's index; `layer` returns the body of a
    kind, for the Builder's `repeat`. The stream is a Value, or a tuple of all that layers hand on. If there are more
    layers than kinds, a `count` that is no int, the others are like the last one, which is like none before it.

    Raises ConfigError if there are fewer layers than kinds."""
    places: dict[Kind, int] = {}
    order = [places.setdefault(kind, len(places)) for kind in kinds]  # small ints, because `runs` compares them often
    bodies = [layer(kind) for kind in places]
    more: Dim = 0
    if count is not None and type(count) is not int:
        if count < len(kinds):
            raise ConfigError(f"num_hidden_layers is {count}: the first {len(kinds) - 1} layers differ from the others")
        more = count - len(kinds)
    for start, period, run in runs(order):
        times = run + more if start + len(period) * run == len(order) else run
        body = [bodies[place] for place in period]
        carried = (x,) if isinstance(x, Value) else x
        x = b.repeat(
            name, times, body if len(body) > 1 else body[0], *carried, constants=constants, start=first + start
        )
    return x
