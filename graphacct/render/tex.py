"""LaTeX: a table with the rules of booktabs, for a paper; human units, the terms in a note below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphacct.render.sheet import sheet
from graphacct.render.sheet_parts import Line, Sheet

if TYPE_CHECKING:
    from graphacct.reports.report import Report

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "<": r"$<$",
    ">": r"$>$",
    "…": r"\dots{}",
    "²": r"\textsuperscript{2}",
    "³": r"\textsuperscript{3}",
    "µ": r"\textmu{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def tex(
    report: Report,
    by: str = "scope",
    depth: int | None = None,
    columns: Sequence[str] | None = None,
    binary: bool = False,
) -> str:
    """Returns the report as a LaTeX table; the arguments are those of `graphacct.render.sheet.sheet`."""
    return to_tex(sheet(report, by, depth, columns, binary))


def to_tex(sheet: Sheet) -> str:
    """Returns a sheet as a `tabular` with booktabs' rules, its title before it as a comment, its notes after it."""
    columns = "".join("r" if column.number else "l" for column in sheet.columns)
    rows = [_row(line) for line in sheet.lines]
    total = [r"\midrule", _row(sheet.total)] if sheet.total else []
    notes = [*sheet.notes, *([sheet.warning] if sheet.warning else [])]
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            f"% {sheet.title}  {sheet.subtitle}".replace("\n", " ").rstrip(),
            rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
            r"\toprule",
            " & ".join(escaped(column.title) for column in sheet.columns) + r" \\",
            r"\midrule",
            *rows,
            *total,
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par\smallskip\noindent{{\footnotesize {escaped(note)}}}" for note in notes),
            "",
        ]
    )


def _row(line: Line) -> str:
    first, *others = line.cells
    indent = rf"\hspace{{{line.indent}em}}" if line.indent else ""
    return " & ".join([indent + escaped(first), *map(escaped, others)]) + r" \\"


def escaped(text: str) -> str:
    """Returns text that LaTeX prints as it is.

    >>> escaped("q_proj ×2, 50 %")
    'q\\\\_proj $\\\\times$2, 50 \\\\%'
    """
    return "".join(_SPECIAL.get(character, character) for character in text)
