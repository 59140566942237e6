"""The text above and below the picture: the model and its totals; the legend and the caption."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from graphacct.costs.quantities import Quantity, forward_alone
from graphacct.dims import Dim, same
from graphacct.render.notes import mask_note, workload_text
from graphacct.render.picture.amounts import Amounts
from graphacct.render.picture.labels import TEXT_SIZE, cell, clean, escape, font, numeric, row, table
from graphacct.render.picture.palette import ALARM, INK, MUTED, RESIDUAL, heat
from graphacct.render.picture.scene import Scene, Scope
from graphacct.render.units import human, params
from graphacct.reports.report import Report

STEPS = (5, 4) * 13
"""The widths of the heat scale's colours. Two of them are 9 wide, the size that text has unless another is given: at
each size of text their rounded widths add up to the rounded width of the scale, so that no colour reaches beyond it."""
TITLE_SIZE = 16
LONGEST_LINE, NARROW_LINE = 130, 60
BLANK = 8
SEPARATOR = " · "
TOGETHER = "\0"
"""Stands for a blank at which no line ends."""
_VALUE = re.compile(r"(?<=\w) (?=[^\s,]+(?:,|$))")


def title(report: Report, quantity: Quantity, scope: str | None = None, drawn: Scope | None = None) -> str:
    """Returns the model's name and its totals as a label; if only one scope is `drawn`, with its name, how often it
    runs and its own totals."""
    total: Mapping[str, Dim] = report.total
    if drawn is not None:
        total = dict(zip((item.name for item in report.quantities), drawn.figures, strict=True))
    parts = []
    if "params" in total:
        parts.append(f"{params(total['params'])} parameters")
    for name in dict.fromkeys(("flops", quantity.name)):
        whole = report.figure(name, total) if name in {*total, quantity.name} else None
        if whole is not None and name != "params":
            each = report.quantity(name)
            of_pass = " forward" if forward_alone([each], report.workload.get("phase")) else ""
            noun = "" if name == "flops" else f" {name}"
            parts.append(f"{human(whole, each.unit)}{noun}{of_pass}")
    count = len(report.coverage.uncosted) if drawn is None else drawn.uncosted
    if count:
        parts.append(f"{count} node{'s' if count > 1 else ''} in no total")
    name = font(escape(report.model, 80), TITLE_SIZE, INK, bold=True)
    if scope is not None:
        name += font(f"  {escape(scope, 80)}", TITLE_SIZE, INK)
    if drawn is not None and not same(drawn.repeat, 1):
        name += font(f"  {escape(f'×{drawn.repeat}', 30)}", TITLE_SIZE, INK)
    line = font(f"    {escape(' · '.join(parts), 400)}", TEXT_SIZE + 2, INK)
    return f"<{table([row(cell(f'{name}{line}', ''))])}>"


def caption(report: Report, amounts: Amounts, scene: Scene, longest: int = LONGEST_LINE) -> str:
    """Returns the heat scale, the kinds of lines in the picture, the convention, the coverage and the workload, in
    lines of at most `longest` characters."""
    rows = [row(cell(_legend(report, amounts, scene), "")), row(cell(font(" ", 3), ""))]
    for line in facts(report, scene, amounts.quantity):
        colour = ALARM if line.startswith("Not counted") else MUTED
        rows += [row(cell(font(escape(part, 400), TEXT_SIZE, colour), "")) for part in _wrapped(line, longest)]
    return f"<{table(rows)}>"


def facts(report: Report, scene: Scene, quantity: Quantity) -> list[str]:
    """Returns the caption in words."""
    coverage = report.coverage
    costed = f"{coverage.costed} of {coverage.total} nodes costed"
    parts = [f"convention {report.convention}{mask_note(report)}", costed, workload_text(report)]
    repeats = [item.repeat for item in scene.scopes.values()] + [box.repeat for box in scene.boxes]
    if not all(same(repeat, 1) for repeat in repeats):
        largest = quantity.combine == "max"
        parts.append(f"repetitions summed{f', of {quantity.name} the largest' if largest else ''}")
    if scene.part is not None and quantity.adds_up:
        parts.append("shares of the whole model")
    lines = [SEPARATOR.join(filter(None, parts))]
    if coverage.uncosted:
        lines.append(f"Not counted, in no total: {clean(coverage.missing, 400)}")
    return lines


def _wrapped(line: str, longest: int) -> Iterable[str]:
    """Yields a line in as few parts as fit, of about the same length, which end between facts if they can."""
    rows = -(-len(line) // longest)
    for width in range(len(line) // rows, longest + 1):
        parts = _parts(line, width)
        if len(parts) <= rows and max(map(len, parts)) <= longest:
            return parts
    together = _VALUE.sub(TOGETHER, line)  # what a fact says of one thing, such as `seq_len 512`
    return [part.replace(TOGETHER, " ") for part in textwrap.wrap(together, longest)] or [" "]


def _parts(line: str, width: int) -> list[str]:
    """Returns facts in parts, each as long as fits a width."""
    parts = [""]
    for fact in line.split(SEPARATOR):
        longer = f"{parts[-1]}{SEPARATOR}{fact}" if parts[-1] else fact
        if len(longer) <= width or not parts[-1]:
            parts[-1] = longer
        else:
            parts.append(fact)
    return parts


def _legend(report: Report, amounts: Amounts, scene: Scene) -> str:
    quantity, largest = amounts.quantity, amounts.largest
    cells: list[str] = []
    if largest is not None:
        total = report.figure(quantity.name)
        adds_up = quantity.adds_up  # a maximum has no parts
        share = f" ({largest / total * 100:.1f} %)" if adds_up and numeric(total) and total else ""
        cells += [
            cell(font(f"{escape(quantity.name)}:  0  ", TEXT_SIZE, INK), 'ALIGN="RIGHT"'),
            cell(_scale(), f'WIDTH="{sum(STEPS)}" FIXEDSIZE="TRUE" HEIGHT="12"'),
            cell(font(f"  {escape(human(_whole(largest), quantity.unit) + share)}", TEXT_SIZE, INK), 'ALIGN="LEFT"'),
        ]
    kinds = {edge.kind for edge in scene.edges}
    for kind, colour, pattern, words in (
        ("residual", RESIDUAL, (24,), "residual"),
        ("loop", RESIDUAL, (2, 3) * 5, "next repetition"),
    ):
        if kind in kinds:
            cells += [cell(" ", 'WIDTH="22"'), cell(_line(colour, pattern)), cell(font(f"  {words}", TEXT_SIZE, INK))]
    # Columns share the caption's spare width: with blank ones at its ends a short legend stays together.
    blank = [cell("", 'CELLPADDING="2"')] * (BLANK if len(cells) == len(("from", "scale", "to")) else 0)
    return table([row(*blank, *cells, *blank)]) if cells else " "


def _whole(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def _scale() -> str:
    """Returns the colours from nothing to the largest value."""
    steps = [
        cell("", f'BGCOLOR="{heat(step / (len(STEPS) - 1))}" FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="10"')
        for step, width in enumerate(STEPS)
    ]
    return _fixed(steps, sum(STEPS), 10)


def _line(colour: str, pattern: Sequence[int]) -> str:
    """Returns a sample of a line: drawn and blank lengths in turn. A blank at its end has no cell, so that there is
    room if the others' widths, at another size of text, are rounded up."""
    fills = (f'BGCOLOR="{colour}" ', "")
    parts = [
        cell("", f'{fills[index % 2]}FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="2"')
        for index, width in enumerate(pattern[: len(pattern) - 1 + len(pattern) % 2])
    ]
    return _fixed(parts, sum(pattern), 2)


def _fixed(cells: Sequence[str], width: int, height: int) -> str:
    """Returns cells in a table that does not stretch with the caption."""
    size = f'FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"'
    return table([row(*cells)], f'CELLSPACING="0" CELLPADDING="0" {size}')
