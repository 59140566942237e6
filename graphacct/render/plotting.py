"""What all plots share: matplotlib (the extra `plot`), the endings of files, and how a figure is written.

The same figures give the same bytes, as SVG too: no date, and identifiers that are not random.
"""

from __future__ import annotations

import os
import re
import textwrap
from io import BytesIO
from typing import TYPE_CHECKING, Any

from graphacct.costs.quantities import forward_alone
from graphacct.errors import ConfigError, RenderError, brief, suggest
from graphacct.files import write
from graphacct.render.notes import workload_words
from graphacct.render.printable import printable
from graphacct.render.records import workload_texts
from graphacct.render.units import human

if TYPE_CHECKING:
    from graphacct.costs.quantities import Quantity
    from graphacct.reports.comparison import Comparison

FORMATS = ("png", "svg", "pdf")
STYLE: Any = {"svg.hashsalt": "graphacct", "hatch.linewidth": 0.5}
"""matplotlib's settings while a plot is drawn and written."""
WIDTHS_CM, CM_PER_INCH = (6, 60), 2.54
"""The widths that a plot may have."""
NARROW = 6.0
"""The inches below which the text at a plot's axes is smaller."""
LETTERS = 40 / 3
"""The most characters of small text in an inch."""
TITLES = {"flops": "FLOPs", "params": "parameters"}
UNDATED: dict[str, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
"""What each format is told of itself: nothing of the day."""


def check_ending(path: str | os.PathLike[str]) -> str:
    """Returns the format that a file's ending says. Raises RenderError for another one."""
    ending = os.fspath(path).rpartition(".")[2].lower()
    if ending not in FORMATS:
        raise RenderError(f"a plot is a .png, .svg or .pdf, not {os.fspath(path)!r}{suggest(ending, FORMATS)}")
    return ending


def inches(width_cm: float | None) -> float | None:
    """Returns the width of a plot in inches, None if it is its own. Raises ConfigError for one that no plot fits."""
    if width_cm is None:
        return None
    low, high = WIDTHS_CM
    if isinstance(width_cm, bool) or not isinstance(width_cm, (int, float)) or not low <= width_cm <= high:
        raise ConfigError(f"a plot's width is {low} to {high} cm, not {brief(width_cm)}")
    return width_cm / CM_PER_INCH


def style(width: float | None) -> Any:
    """Returns matplotlib's settings for a plot of a width: smaller text at the axes of a narrow one."""
    return {"font.size": 8} if width is not None and width < NARROW else {}


def in_lines(text: str, width: float) -> str:
    """Returns the small text below a plot in lines that are no wider than it."""
    return "\n".join(map(literal, textwrap.wrap(text, int(LETTERS * width))))


def figure(width: float, height: float) -> Any:
    """Returns an empty figure of so many inches. Raises RenderError if matplotlib is not installed."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RenderError(f"a plot needs matplotlib ({error}): pip install 'graphacct[plot]'") from error
    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def save(drawn: Any, path: str | os.PathLike[str], ending: str) -> None:
    """Writes a figure to a file, whole or not at all. Raises WriteError if that fails."""
    from matplotlib import rc_context

    content = BytesIO()
    with rc_context(STYLE):
        drawn.savefig(content, format=ending, dpi=144, metadata=UNDATED[ending])
    write(path, content.getvalue())


def literal(name: object) -> str:
    """Returns a name that matplotlib does not take for a formula."""
    return printable(name).replace("$", r"\$")


def called(found: Comparison, quantity: Quantity) -> str:
    """Returns what a plot calls a quantity: its name, in words for the two that have a word of their own; and of what
    it is where that is a training step's forward pass alone."""
    phases = [report.workload.get("phase") for report in found.reports]
    of_pass = " of the forward pass" if forward_alone([quantity], *phases) else ""
    return literal(f"{TITLES.get(quantity.name, quantity.name)}{of_pass}")


def amount(value: Any, quantity: Quantity) -> str:
    """Returns a figure in its unit without zeros at its end: `10 TFLOP`, `1.5 B`."""
    return literal(re.sub(r"(\.\d*?)0+(?= |$)", r"\1", human(value, quantity.unit)).replace(". ", " "))


def terms(found: Comparison) -> str:
    """Returns the workload that all reports share, and their convention."""
    texts = [workload_texts(report.workload) for report in found.reports]
    shared = {key: size for key, size in texts[0].items() if all(text.get(key) == size for text in texts)}
    return "; ".join(filter(None, (workload_words(shared), f"convention {printable(found.reports[0].convention)}")))


def heading(found: Comparison, words: str) -> str:
    """Returns the title of a plot: of one model at several sizes its name too."""
    return words if found.over is None else f"{literal(found.reports[0].model)}: {words}"
