"""Plots of the shares of roles: stacked bars of several models, lines over the sizes of one.

The colours are those of Okabe and Ito (2008), which the colour-blind can tell apart. Hatches and kinds of lines say the
same in grey print.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from graphacct.costs.roles import ATTENTION, EMBEDDING, EXPERTS, HEAD, LOSS, MLP, NORMS, OTHER, ROUTER
from graphacct.render.plotting import LETTERS, amount, called, figure, heading, in_lines, literal, terms
from graphacct.render.units import params

if TYPE_CHECKING:
    from graphacct.reports.comparison import Comparison, Crossing

COLORS = {
    EMBEDDING: "#56B4E9",
    ATTENTION: "#0072B2",
    MLP: "#E69F00",
    EXPERTS: "#D55E00",
    ROUTER: "#CC79A7",
    NORMS: "#F0E442",
    HEAD: "#009E73",
    LOSS: "#666666",
    OTHER: "#BBBBBB",
}
LINES = {**COLORS, NORMS: "#8F8500", OTHER: "#888888"}
"""The colours of lines: yellow and light grey are too pale on white, and have the same hue here."""
HATCHES = {
    EMBEDDING: "...",
    ATTENTION: "",
    MLP: "//",
    EXPERTS: "xx",
    ROUTER: "++",
    NORMS: "--",
    HEAD: "\\\\",
    LOSS: "oo",
}
DASHES: dict[str, Any] = {
    ATTENTION: "-",
    MLP: "--",
    EXPERTS: "-.",
    HEAD: ":",
    EMBEDDING: (0, (5, 1, 1, 1, 1, 1)),
    NORMS: (0, (1, 3)),
    LOSS: (0, (8, 3)),
    ROUTER: (0, (3, 3)),
    OTHER: (0, (2, 1)),
}
MARKERS = dict(zip(COLORS, "Pos^v<>DX", strict=True))
WIDE = 9.0
"""The inches that a plot is wide unless it is told otherwise."""
SMALL = 0.005
"""A role with less than this share in every column has no colour of its own."""
LABELLED = 0.045
"""The least share whose per cent stand in its bar."""
LONGEST = 30
"""The most characters of a model's name on one line."""
MOST_MARKED, MOST_TICKS = 12, 9
"""The most sizes that are each marked with a point, and that stand on the axis."""
TOKENS = ("seq_len", "encoder_seq_len", "cache_len", "prompt_len", "new_tokens")


def bars(found: Comparison, width: float = WIDE) -> Any:
    """Returns a figure with a bar for each model, from the first role to the last, in per cent of its total."""
    large, small = _roles(found)
    quantity = found.reports[0].quantity(found.quantity)
    drawn = figure(width, 1.7 + 0.52 * len(found.reports))
    axes = drawn.add_subplot()
    left = [0.0] * len(found.reports)
    for role, shares in large:
        axes.barh(
            range(len(shares)),
            shares,
            left=left,
            height=0.72,
            color=COLORS[role],
            hatch=HATCHES.get(role, ""),
            edgecolor="black",
            linewidth=0.6,
            label=role,
        )
        for place, share in enumerate(shares):
            if share * width >= 100 * LABELLED * WIDE:
                _inside(axes, left[place] + share / 2, place, f"{share:.0f}" if share >= 9.95 else f"{share:.1f}")
        left = [before + share for before, share in zip(left, shares, strict=True)]
    if small:
        rest = [max(100 - before, 0) for before in left]
        axes.barh(range(len(rest)), rest, left=left, height=0.72, color="white", edgecolor="black", linewidth=0.6)
    for place, report in enumerate(found.reports):
        axes.text(101, place, amount(report.total[found.quantity], quantity), va="center", ha="left", fontsize=9)
    axes.set_yticks(range(len(found.reports)), [_label(found, place) for place in range(len(found.reports))])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_ylim(len(found.reports) - 0.5, -0.5)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    _finish(drawn, axes, found, small, len(large), axes.set_xlabel, width)
    return drawn


def lines(found: Comparison, width: float = WIDE) -> Any:
    """Returns a figure with a line for each role over the sizes of one model, and where attention passes a network."""
    from matplotlib.scale import LogScale
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    assert found.over is not None
    large, small = _roles(found)
    order = sorted(range(len(found.over.sizes)), key=found.over.sizes.__getitem__)
    sizes = [found.over.sizes[place] for place in order]
    drawn = figure(width, 2.75 + 0.25 * width)
    axes = drawn.add_subplot()
    marked = len(sizes) <= MOST_MARKED
    for role, shares in large:
        points = dict(zip(sizes, (shares[place] for place in order), strict=True))
        for crossing in found.over.crossings:
            if role in (crossing.passing, crossing.passed):
                points.setdefault(crossing.size, 100 * crossing.share)
        at = sorted(points)
        axes.plot(
            at,
            [points[size] for size in at],
            linestyle=DASHES[role],
            color=LINES[role],
            linewidth=2.2,
            label=role,
            marker=MARKERS[role] if marked else None,
            markersize=5,
            markevery=[place for place, size in enumerate(at) if size in sizes],
        )
    top = max(max(shares) for _, shares in large)
    axes.set_ylim(0, top * (1.08 + 0.09 * len(found.over.crossings)))
    axes.set_xlim(sizes[0], sizes[-1])
    if _is_geometric(sizes):
        axes.set_xscale(LogScale(axes.xaxis, base=2))
    for place, crossing in enumerate(found.over.crossings):
        _mark(axes, found, crossing, place, sizes, width)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(sizes, round(MOST_TICKS * min(width / WIDE, 1)))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{round(size):,}"))
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    unit = " (tokens)" if found.over.name in TOKENS else ""
    axes.set_xlabel(f"{literal(found.over.name)}{unit}")
    _finish(drawn, axes, found, small, len(large), axes.set_ylabel, width)
    return drawn


def _roles(found: Comparison) -> tuple[list[tuple[str, list[float]]], list[str]]:
    """Returns the roles with their shares in per cent, and those that are small everywhere."""
    large, small = [], []
    for role, shares in zip(found.paths, found.shares, strict=True):
        numbers = [0.0 if share is None else float(share) for share in shares]
        if max(numbers) >= SMALL:
            large.append((role, [100 * number for number in numbers]))
        elif max(numbers) > 0:
            small.append(role)
    return large, small


def _finish(
    drawn: Any, axes: Any, found: Comparison, small: Sequence[str], count: int, label: Any, width: float
) -> None:
    """Adds what both plots have: what the shares are of, the legend above, and the terms."""
    name = called(found, found.reports[0].quantity(found.quantity))
    label(f"share of {name} (%)")
    drawn.suptitle(heading(found, f"{name} by role"), fontsize=12)
    most = max(2, int(5 * width / WIDE))
    above = {
        "loc": "lower center",
        "bbox_to_anchor": (0.5, 1.0),
        "ncols": min(count, most),
        "frameon": False,
    }
    axes.legend(**above, handlelength=2.8, fontsize=9)
    said = terms(found)
    if small:
        where = "left white" if found.over is None else "not drawn"
        said += f"; below {100 * SMALL:g} % each, {where}: {', '.join(small)}"
    drawn.supxlabel(in_lines(said, width), fontsize=8, color="#444444")


def _inside(axes: Any, x: float, y: float, text: str) -> None:
    """Writes a figure into a bar, on white so that no hatch goes through it."""
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.85}
    axes.text(x, y, text, ha="center", va="center", fontsize=8, bbox=box)


def _label(found: Comparison, place: int) -> str:
    """Returns a bar's name and the model's parameters."""
    report = found.reports[place]
    name = "\n".join(literal(part) for part in textwrap.wrap(found.names[place], LONGEST, break_on_hyphens=True))
    count = report.total.get("params") if found.quantity != "params" else None
    return name if count is None else f"{name}\n{params(count)} parameters"


def _mark(axes: Any, found: Comparison, crossing: Crossing, place: int, sizes: Sequence[int], width: float) -> None:
    """Marks a crossing: a line at its size, a ring at its share, and above all lines what it is."""
    assert found.over is not None
    _, top = axes.get_ylim()
    axes.axvline(crossing.size, color="black", linewidth=0.8, linestyle=(0, (4, 4)))
    ring = {"markersize": 9, "markerfacecolor": "none", "markeredgecolor": "black", "markeredgewidth": 1.4}
    axes.plot([crossing.size], [100 * crossing.share], "o", zorder=5, **ring)
    how = "is as much as" if crossing.equal else "passes"
    text = f"{crossing.passing} {how} {crossing.passed} at {literal(found.over.name)} {crossing.size:,}"
    if width < WIDE:
        text = "\n".join(textwrap.wrap(text, int(LETTERS * width / 2.6)))
    low, high = axes.transData.inverted().transform(axes.transAxes.transform([(0, 0), (0.55, 0)]))[:, 0]
    right = crossing.size <= high and low <= crossing.size
    axes.annotate(
        text,
        (crossing.size, top * (1 - 0.075 * place)),
        xytext=(6 if right else -6, -3),
        textcoords="offset points",
        ha="left" if right else "right",
        va="top",
        fontsize=9,
    )


def _is_geometric(sizes: Sequence[int]) -> bool:
    """Returns whether sizes are spread by factors rather than by steps: their median is nearer to the geometric mean of
    both ends."""
    low, high = sizes[0], sizes[-1]
    middle = median(sizes)
    return len(sizes) > 2 and abs(middle - (low * high) ** 0.5) < abs(middle - (low + high) / 2)


def _ticks(sizes: Sequence[int], most: int = MOST_TICKS) -> Sequence[int]:
    """Returns the sizes that stand on the axis: all of a few; of many the multiples of a power of two, or else some at
    even distances with both ends."""
    if len(sizes) <= most:
        return sizes
    for power in range(sizes[-1].bit_length()):
        round_ones = [size for size in sizes if size % 2**power == 0]
        if len(round_ones) <= most:
            break
    if len(round_ones) >= most / 2:
        return round_ones
    last = len(sizes) - 1
    return [sizes[round(place * last / (most - 1))] for place in range(most)]
