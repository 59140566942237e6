"""The plot of one quantity against another: a point for each model, named, both on logarithmic scales."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import TYPE_CHECKING, Any

from graphacct.costs.quantities import Quantity
from graphacct.dims import is_array, is_symbol
from graphacct.errors import RenderError, brief
from graphacct.render.plotting import amount, called, figure, heading, in_lines, literal, terms

if TYPE_CHECKING:
    from graphacct.reports.comparison import Comparison

POINT = "#0072B2"
AROUND = tuple(
    (x * distance, y * distance)
    for distance in (1, 2, 3.2)
    for x, y in ((9, 0), (-9, 0), (0, 10), (0, -10), (7, 9), (7, -9), (-7, 9), (-7, -9))
)
"""Where a point's name may stand, in points from it: the first place that is free."""
LONGEST = 40
WIDE = 8.0
"""The inches that a plot is wide unless it is told otherwise."""


def cost_plot(found: Comparison, against: str, width: float = WIDE) -> Any:
    """Returns a figure with the compared quantity of each model over its `against`.

    Raises RenderError for a figure that is no number above 0, which a logarithmic scale does not have.
    """
    from matplotlib.scale import LogScale

    y, x = (found.reports[0].quantity(name) for name in (found.quantity, against))
    points = [tuple(_figure(found, place, item.name) for item in (x, y)) for place in range(len(found.reports))]
    drawn = figure(width, 1.6 + 0.5 * width)
    axes = drawn.add_subplot()
    axes.set_xscale(LogScale(axes.xaxis))
    axes.set_yscale(LogScale(axes.yaxis))
    xs, ys = [[float(value) for value in values] for values in zip(*points, strict=True)]
    if found.over is not None:
        order = sorted(range(len(xs)), key=found.over.sizes.__getitem__)
        axes.plot([xs[i] for i in order], [ys[i] for i in order], "-", color=POINT, linewidth=1, zorder=1)
    axes.plot(xs, ys, "o", color=POINT, markeredgecolor="black", markeredgewidth=0.7, markersize=7, zorder=2)
    for axis, values, quantity in ((axes.xaxis, xs, x), (axes.yaxis, ys, y)):
        _scale(axis, values, quantity)
        axis.set_label_text(called(found, quantity))
    axes.grid(which="major", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    drawn.suptitle(heading(found, f"{called(found, y)} against {called(found, x)}"), fontsize=12)
    drawn.supxlabel(in_lines(terms(found), width), fontsize=8, color="#444444")
    _name(drawn, axes, found.names, xs, ys)
    return drawn


def _figure(found: Comparison, place: int, name: str) -> Any:
    value = found.reports[place].figure(name)
    who = brief(found.names[place])
    if value is None or is_symbol(value) or is_array(value):
        raise RenderError(f"{name} of {who} is no number: give every size as a number")
    if value <= 0:
        raise RenderError(f"{name} of {who} is {value}, which a logarithmic scale does not have: plot another quantity")
    return value


def _scale(axis: Any, values: Sequence[float], quantity: Quantity) -> None:
    """Sets an axis to the figures, with room for names around them, and at least two ticks in the quantity's unit."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = log10(min(values)), log10(max(values))
    room = max(0.12 * (high - low), 0.12)
    ends = (10 ** (low - room), 10 ** (high + 1.6 * room if axis.axis_name == "x" else high + room))
    axis.axes.set(**{f"{axis.axis_name}lim": ends})
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)):
        exponents = range(int(log10(ends[0])) - 2, int(log10(ends[1])) + 2)
        ticks = [step * 10.0**exponent for exponent in exponents for step in steps]
        ticks = [tick for tick in ticks if ends[0] <= tick <= ends[1]]
        if len(ticks) >= 3:
            break
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: amount(_whole(value), quantity)))


def _whole(value: float) -> float:
    return round(value) if value >= 1 else value


def _name(drawn: Any, axes: Any, names: Sequence[str], xs: Sequence[float], ys: Sequence[float]) -> None:
    """Writes each point's name beside it, at the first place where it covers no point and no other name."""
    from matplotlib.transforms import Bbox

    drawn.draw_without_rendering()
    renderer = drawn.canvas.get_renderer()
    around = 5 * drawn.dpi / 72
    taken = [
        Bbox.from_extents(px - around, py - around, px + around, py + around)
        for px, py in axes.transData.transform(list(zip(xs, ys, strict=True)))
    ]
    inside = axes.get_window_extent(renderer)
    for name, x, y in zip(names, xs, ys, strict=True):
        shown = literal(name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…")
        trials: list[tuple[int, int, tuple[float, float], Any]] = []
        for offset in AROUND:
            text = _written(axes, shown, (x, y), offset)
            box = text.get_window_extent(renderer)
            text.remove()
            hidden = sum(box.overlaps(other) for other in taken)
            outside = not (inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1)
            trials.append((hidden + 10 * outside, len(trials), offset, box))
            if not trials[-1][0]:
                break
        _, _, offset, box = min(trials)
        _written(axes, shown, (x, y), offset)
        taken.append(box)


def _written(axes: Any, shown: str, point: tuple[float, float], offset: tuple[float, float]) -> Any:
    """Writes a name at a distance from its point, with a thin line to it if that is far."""
    dx, dy = offset
    return axes.annotate(
        shown,
        point,
        xytext=offset,
        textcoords="offset points",
        ha="left" if dx > 0 else "right" if dx < 0 else "center",
        va="bottom" if dy > 0 else "top" if dy < 0 else "center",
        fontsize=9,
        arrowprops={"arrowstyle": "-", "linewidth": 0.5} if max(abs(dx), abs(dy)) > 12 else None,
    )
