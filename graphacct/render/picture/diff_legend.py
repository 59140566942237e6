"""The text above and below the picture of a diff: both models and their totals; the legend and the terms."""

from __future__ import annotations

from collections.abc import Sequence

from graphacct.costs.quantities import Quantity
from graphacct.render.diff import difference_text
from graphacct.render.notes import terms, workload_text
from graphacct.render.picture import labels, palette
from graphacct.render.picture.diff_styles import INKS, SIGNS, WORDS
from graphacct.render.units import human
from graphacct.reports.diff import ADDED, CHANGED, REMOVED, Diff


def title(found: Diff, quantities: Sequence[Quantity]) -> str:
    """Returns both models' names and the totals before and after."""
    names = f"{labels.clean(found.first.model, 60)} (A) → {labels.clean(found.other.model, 60)} (B)"
    parts = []
    for quantity in quantities:
        one, other = found.total[quantity.name]
        texts = [human(one, quantity.unit), human(other, quantity.unit)]
        word = "parameters" if quantity.name == "params" else "" if quantity.name == "flops" else quantity.name
        text = f"{' → '.join(dict.fromkeys(texts))} {word}".strip()
        parts.append(f"{text}{difference_text(one, other)}")
    name = labels.font(labels.escape(names, 140), 16, palette.INK, bold=True)
    line = labels.font(labels.escape(" · ".join(parts), 400), labels.TEXT_SIZE + 2, palette.INK)
    rows = [labels.row(labels.cell(name, "")), labels.row(labels.cell(line, ""))]
    return f"<{labels.table(rows)}>"


def caption(found: Diff) -> str:
    """Returns the legend, and the terms of both reports."""
    cells = []
    for kind in (ADDED, REMOVED, CHANGED):
        count = len(found.of_kind(kind))
        text = labels.escape(f" {SIGNS[kind]} {count} {kind} ({WORDS[kind]}) ", 80)
        cells += [labels.cell(labels.font(text, labels.TEXT_SIZE, INKS[kind], bold=True), "")] if count else []
    text = labels.escape(f" {found.unchanged} unchanged; views are in the arrows ", 80)
    cells.append(labels.cell(labels.font(text, labels.TEXT_SIZE, palette.MUTED), ""))
    one, other = (f"{workload_text(report)} · {terms(report)}" for report in (found.first, found.other))
    texts = [labels.escape(line, 300) for line in ([one] if one == other else [f"A: {one}", f"B: {other}"])]
    rows = [labels.row(labels.cell(labels.table([labels.row(*cells)]), ""))]
    rows += [labels.row(labels.cell(labels.font(text, labels.TEXT_SIZE, palette.MUTED), "")) for text in texts]
    return f"<{labels.table(rows)}>"
