"""How long a grid takes and how much room its rows need, from its first slab: refused before it has really begun."""

from __future__ import annotations

from graphacct.errors import ConfigError
from graphacct.sweeping.plan import Plan
from graphacct.sweeping.selection import Rows
from graphacct.sweeping.sinks import Sink

MOST_DAYS = 30
"""A grid that takes longer is refused."""
_SECONDS = (("years", 365.25 * 86_400), ("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")


def check(plan: Plan, first: Rows, sink: Sink, workers: int) -> None:
    """Raises ConfigError for a grid that takes longer than MOST_DAYS at the speed of one of its first slabs, and one of
    which every point is a row, if there is no room for them."""
    points = plan.grid.points
    each = first.seconds / max(1, first.points) / max(1, workers)
    long = points * each > MOST_DAYS * 86_400
    text = f"the grid has {points:,} points, about {duration(points * each)} at {duration(each)} a point"
    room = sink.room()
    full = False
    if not (plan.request.where or plan.request.pareto) and room is not None and first.count:
        needed = points * sink.bytes_of(first) // first.points
        full = needed > room
        text += (
            f"; without where= and pareto= each is a row, about {size(needed)} {sink.place()}, where there is room for "
            f"{size(room)}"
        )
    if long or full:
        ways = ["give where= or pareto="] if full else []
        ways += ["give fewer values, or larger steps", *([] if full else ["or more workers"])]
        raise ConfigError(f"{text}: {', '.join(ways)}")


def duration(seconds: float) -> str:
    """Returns a time in its largest unit: `3.2 hours`, `15 ns`."""
    for name, unit in _SECONDS:
        if seconds >= unit:
            return f"{seconds / unit:,.3g} {name}" if seconds < 1000 * unit else f"{seconds / unit:,.0f} {name}"
    for name, unit in (("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 1e-9:.3g} ns"


def size(count: int) -> str:
    """Returns a number of bytes in its largest unit: `1.2 GB`."""
    power = min(max(0, (len(str(count)) - 1) // 3), len(_UNITS) - 1)
    return f"{count / 1000**power:.3g} {_UNITS[power]}"
