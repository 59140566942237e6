"""A memory's timeline as a picture, through matplotlib (the extra `plot`)."""

from __future__ import annotations

import os

from graphacct.errors import RenderError
from graphacct.execution.kernels import BACKWARD, FORWARD, RECOMPUTE
from graphacct.footprint.memory import Memory
from graphacct.render.plotting import check_ending, figure, literal, save
from graphacct.render.units import bytes_

COLORS = {FORWARD: "tab:blue", BACKWARD: "tab:orange", RECOMPUTE: "tab:green"}
"""The colour of each pass."""


def plot(memory: Memory, path: str | os.PathLike[str], binary: bool = False) -> None:
    """Plots the live bytes over the kernels of the schedule, with the peak marked, to a .png, .svg or .pdf.

    Raises RenderError if matplotlib is not installed, the ending is another one, or sizes are symbols; WriteError if
    the file cannot be written.
    """
    ending = check_ending(path)
    if not memory.peak_at:
        raise RenderError(f"the timeline of {memory.model!r} has symbols or arrays in it: a plot needs numbers")
    drawn = figure(9, 4)
    from matplotlib.ticker import FuncFormatter

    alive = [int(row.live_bytes) for row in memory.timeline]
    peak = max(alive)
    at = alive.index(peak)
    axes = drawn.add_subplot()
    names = [row.run for row in memory.timeline]
    for name, color in COLORS.items():
        if name in names:
            inside = [name in pair for pair in zip(names, ["", *names], strict=False)]  # up to where the next begins
            axes.fill_between(range(len(alive)), alive, where=inside, step="post", alpha=0.4, color=color, label=name)
    axes.step(range(len(alive)), alive, where="post", linewidth=1, color="black")
    if len(set(names)) > 1:
        axes.legend(loc="upper left", frameon=False)
    axes.plot([at], [peak], "o", color="black", markersize=4)
    axes.annotate(
        f"{literal(memory.peak_at)}: {bytes_(peak, binary)}",
        (at, peak),
        xytext=(-6, 6),
        textcoords="offset points",
        ha="right" if at > len(alive) / 2 else "left",
    )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: bytes_(round(value), binary)))
    axes.set_ylim(0, max(peak, 1) * 1.25)
    axes.set_xlim(0, max(len(alive) - 1, 1))
    axes.set_xlabel("kernel (a block's middle repetitions are one)")
    axes.set_ylabel("activations and their gradients alive" if BACKWARD in names else "activations alive")
    axes.set_title(f"{literal(memory.model)}, {memory.phase}, {literal(memory.profile)}")
    save(drawn, path, ending)
