"""What a sheet is made of: columns and lines of text, with a title and the terms of the figures."""

from __future__ import annotations

from typing import Any

import attrs

OPERATOR = "Operator"
"""The title of the column of operators."""


@attrs.frozen
class Column:
    """A column of a sheet.

    Attributes:
        title: What stands above it.
        number: Whether its cells are numbers, which stand at the right and are never broken.
        whole: Whether its cells are texts that are not broken either.
        rank: How little it is needed: of a table that is too wide the columns with the highest rank go first. Those of
            rank 0 stay.
        cut: Whether a text that is too long for its column is cut; others take several lines.
    """

    title: str
    number: bool = False
    whole: bool = False
    rank: int = 0
    cut: bool = False


@attrs.frozen
class Line:
    """One line of a sheet.

    Attributes:
        cells: Text, one per column; the first is the label.
        name: The full name, if the label is only its end.
        indent: How deep the line lies in its tree.
        share: Its share of the total, 0 to 1, or None if it has none.
    """

    cells: tuple[str, ...]
    name: str = ""
    indent: int = 0
    share: Any = None


@attrs.frozen
class Sheet:
    """A table with its terms.

    Attributes:
        title: The subject.
        subtitle: The workload.
        columns: The columns, the label's first.
        lines: The lines.
        total: The last line, or None.
        notes: The terms of its figures: the convention, the coverage.
        warning: What every total leaves out; empty if nothing.
        bars: Whether the lines' shares are to be drawn.
        rest: How to see the lines that a terminal does not show, if there are too many.
        heads: How many of the first columns name a line: a table that is too wide repeats them.
    """

    title: str
    subtitle: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    total: Line | None = None
    notes: tuple[str, ...] = ()
    warning: str = ""
    bars: bool = False
    rest: str = "use a smaller depth, or the format csv or json"
    heads: int = 1
