"""A diff of two models as plain values (docs/json.md), as records for CSV, and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from graphacct.dims import is_symbol, same
from graphacct.expressions.change import called
from graphacct.graph.paths import depth as depth_of
from graphacct.graph.paths import merged, outward, parent
from graphacct.render.diff_lines import diff_lines, figure_of, inside_of, kinds_of
from graphacct.render.folding import gathered_note
from graphacct.render.json import heading
from graphacct.render.notes import key_notes, terms, warning, workload_text
from graphacct.render.printable import printable
from graphacct.render.records import plain_value, quantities
from graphacct.render.sheet import title
from graphacct.render.sheet_parts import Column, Line, Sheet
from graphacct.render.units import human, percent
from graphacct.reports.diff import ADDED, CHANGED, REMOVED
from graphacct.reports.levels import check_depth

if TYPE_CHECKING:
    from graphacct.costs.quantities import Quantity
    from graphacct.reports.diff import Change, Diff, Side, Variant

SCHEMA = "graphacct.diff/1"
KINDS = (ADDED, REMOVED, CHANGED)
NOTHING = "–"
SMALL = "differs by less than 0.1 % of what differs in all"
"""What several scopes and nodes are that share a line."""


def to_dict(found: Diff) -> dict[str, Any]:
    """Returns a diff as plain values: see docs/json.md."""
    values: dict[str, Any] = {
        "schema": SCHEMA,
        "a": heading(found.first),
        "b": heading(found.other),
        "total": {name: _total(name, one, other) for name, (one, other) in found.total.items()},
        **{kind: [_entry(change) for change in found.of_kind(kind)] for kind in KINDS},
        "unchanged": found.unchanged,
    }
    if found.conditions:
        values["fail_if"] = [{"condition": item.text, "holds": item in found.failing} for item in found.conditions]
    return values


def records(found: Diff) -> list[dict[str, Any]]:
    """Returns one dictionary for each path that differs, for CSV: each quantity in A, in B, and the difference."""
    return [_record(found, change) for change in found.changes]


def columns(found: Diff) -> list[str]:
    """Returns the names of the records' entries, which a diff without changes has too."""
    parts = (f"{name}_{end}" for name in found.first.total for end in ("a", "b", "difference"))
    return ["change", "path", "operator_a", "operator_b", "repeat_a", "repeat_b", *parts, "model_a", "model_b"]


def sheet(found: Diff, depth: int | None = None, binary: bool = False) -> Sheet:
    """Returns a diff as a table's lines: the scopes and nodes that differ, those that do not folded away.

    Args:
        found: The diff.
        depth: Levels of scopes to show, every node that differs in them; unless given, the scopes that differ most are
            opened, as many as fit in 30 lines, without changed nodes that cost nothing in either model, such as views.
        binary: Bytes in GiB instead of GB.

    Raises ConfigError for a depth below 1.
    """
    check_depth(depth)
    changes = {change.path: change for change in found.changes}
    inside = inside_of(found.changes)
    idle = {path for path, change in changes.items() if depth is None and _costs_nothing(change, found)}
    reports = (found.first, found.other)
    rows = [{row.path: row.values[found.quantity] for row in report.by_scope} for report in reports]
    idle -= {above for path in inside if path not in idle for above in outward(parent(path))}
    paths = [path for path in merged([list(column) for column in rows]) if path in inside and path not in idle]
    shown = diff_lines(found, paths, depth)
    quantity = found.first.quantity(found.quantity)
    figure = partial(figure_of, combine=quantity.combine)
    lines = [
        Line(
            (
                printable(line.label if depth_of(line.path) else line.path),
                *_cells(figure(line, rows[0]), figure(line, rows[1]), quantity, binary),
                _what(None if line.gathered else changes.get(line.path), kinds_of(line, inside)),
            ),
            printable(line.path),
            depth_of(line.path),
        )
        for line in shown
    ]
    one, other = found.total[found.quantity]
    label = "Largest" if quantity.combine == "max" else "Total"
    names = f"{printable(found.first.model)} (A), {printable(found.other.model)} (B)"
    return Sheet(
        f"{names}: {title(quantity)}",
        "",
        (
            Column("Scope"),
            *(Column(name, True) for name in ("A", "B", "Difference")),
            Column("Change", True, rank=2),
            Column("What", rank=1),
        ),
        tuple(lines),
        Line((label, *_cells(one, other, quantity, binary), "")),
        (*_counts(found, len(idle)), *gathered_note(shown, SMALL), *_terms(found)),
        "; ".join(f"{side}: {warning(report)}" for side, report in _named(found) if warning(report)),
    )


def to_text(found: Diff) -> str:
    """Returns a diff as a table of text."""
    from graphacct.render.table import to_text as text

    return text(sheet(found))


def to_html(found: Diff) -> str:
    """Returns a diff as an HTML table."""
    from graphacct.render.html import to_html as html

    return html(sheet(found))


def holding(found: Diff) -> list[str]:
    """Returns a sentence for each condition that holds, with the figures of its quantities."""
    said = []
    for condition in found.failing:
        figures = []
        whole = [(name, *found.total[name]) for name in condition.names]
        for name, one, other in [*whole, *((called(*call), *found.parts[call]) for call in condition.calls)]:
            share = relative(one, other)
            figures.append(f"{name} {one:,} in A, {other:,} in B: {other - one:+,}" + (f" ({share})" if share else ""))
        said.append(f"{condition.text} holds: {'; '.join(figures)}")
    return said


def _total(name: str, one: Any, other: Any) -> dict[str, Any]:
    return {key: plain_value(value, name) for key, value in (("a", one), ("b", other), ("difference", other - one))}


def _entry(change: Change) -> dict[str, Any]:
    there = change.other or change.first
    assert there is not None
    more = {"differs": [*change.differs]} if change.differs else {}
    return {
        "path": change.path,
        "operator": there.operator,
        **more,
        "a": _side(change.first),
        "b": _side(change.other),
    }


def _side(side: Side | None) -> dict[str, Any] | None:
    if side is None:
        return None
    return {
        "repeat": plain_value(side.repeat, "repeat"),
        "shapes": [_variant(variant) for variant in side.variants],
        **({"uncosted": True} if side.values is None else quantities(side.values)),
    }


def _variant(variant: Variant) -> dict[str, Any]:
    return {
        "operator": variant.operator,
        "inputs": plain_value(variant.inputs, "inputs"),
        "outputs": plain_value(variant.outputs, "outputs"),
        "repeat": plain_value(variant.repeat, "repeat"),
    }


def _record(found: Diff, change: Change) -> dict[str, Any]:
    one, other = change.first, change.other
    row: dict[str, Any] = {
        "change": change.kind,
        "path": change.path,
        "operator_a": one and one.operator,
        "operator_b": other and other.operator,
        "repeat_a": one and plain_value(one.repeat, "repeat"),
        "repeat_b": other and plain_value(other.repeat, "repeat"),
    }
    adds_up = {quantity.name: quantity.adds_up for quantity in found.first.quantities}
    for name in found.first.total:
        a, b = (_value(side, name) for side in (one, other))
        row[f"{name}_a"], row[f"{name}_b"] = plain_value(a, name), plain_value(b, name)
        known = _is_known(one) and _is_known(other) and (adds_up[name] or (a is not None and b is not None))
        row[f"{name}_difference"] = plain_value((b or 0) - (a or 0), name) if known else None
    return row | {"model_a": found.first.model, "model_b": found.other.model}


def _value(side: Side | None, name: str) -> Any:
    return None if side is None or side.values is None else side.values[name]


def _is_known(side: Side | None) -> bool:
    """Returns whether what a side costs is known: nothing if it is not there."""
    return side is None or side.values is not None


def _costs_nothing(change: Change, found: Diff) -> bool:
    """Returns whether a changed node has the same operator in both models, and none of any quantity that adds up."""
    if change.kind != CHANGED or "operator" in change.differs or "cost" in change.differs:
        return False
    values = None if change.first is None else change.first.values
    sums = [quantity.name for quantity in found.first.quantities if quantity.adds_up]
    return values is not None and all(same(values[name], 0) for name in sums)


def _what(change: Change | None, kinds: Mapping[str, int]) -> str:
    """Returns what differs of a node, or how many nodes of a scope."""
    if change is None:
        return ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds.get(kind))
    one, other = change.first, change.other
    if one is None or other is None:
        there = one or other
        assert there is not None
        return f"{change.kind}: {printable(there.operator)}"
    words = {
        "operator": f"{printable(one.operator)} → {printable(other.operator)}",
        "repeat": f"×{one.repeat} → ×{other.repeat}",
    }
    return ", ".join(words.get(name, name) for name in change.differs)


def _cells(one: Any, other: Any, quantity: Quantity, binary: bool) -> tuple[str, ...]:
    """Returns the figures of a line: both sides', the difference, and the same in per cent of A's."""
    shown = [NOTHING if value is None else human(value, quantity.unit, binary) for value in (one, other)]
    difference = (0 if other is None else other) - (0 if one is None else one)
    sign = "+" if isinstance(difference, int) and difference > 0 else ""
    share = "" if one is None or other is None else relative(one, other)
    return (*shown, "0" if same(difference, 0) else sign + human(difference, quantity.unit, binary), share)


def relative(one: Any, other: Any) -> str:
    """Returns a change in per cent; empty where there is none, or none in per cent."""
    if is_symbol(one) or is_symbol(other) or not isinstance(one, int) or not isinstance(other, int):
        return ""
    if one == 0 or one == other:
        return ""
    text = percent(abs(other - one) / one)
    sign = "-" if other < one else "+"
    return f"{sign}{text}" if text[0] != "<" else f"{text} {'less' if other < one else 'more'}"


def difference_text(one: Any, other: Any) -> str:
    """Returns a change in per cent in brackets; empty where there is none."""
    share = relative(one, other)
    return f" ({share})" if share else ""


def _counts(found: Diff, idle: int) -> list[str]:
    """Returns how many nodes differ, and how many do not and are not shown; `idle` ones cost nothing."""
    counts = [(len(found.of_kind(kind)), kind) for kind in KINDS]
    differing = ", ".join(f"{count} {kind}" for count, kind in counts if count) or "no node differs"
    words = (
        f"{idle} of the changed {'costs' if idle == 1 else 'cost'} nothing in either and {'is' if idle == 1 else 'are'}"
    )
    more = [f"{words} not shown; give a depth to list each"] if idle else []
    return [f"{differing}; {found.unchanged} unchanged, not shown", *more]


def _terms(found: Diff) -> list[str]:
    """Returns the workload, or both if they differ, the convention and the coverage, and what became of keys."""
    one, other = (workload_text(report) for report in (found.first, found.other))
    lines = [one] if one == other else [f"A: {one}", f"B: {other}"]
    one, other = terms(found.first), terms(found.other)
    lines += [one] if one == other else [f"A: {one}", f"B: {other}"]
    lines += [f"{side}: {note}" for side, report in _named(found) for note in key_notes(report.config_keys)]
    return lines


def _named(found: Diff) -> tuple[tuple[str, Any], ...]:
    return (("A", found.first), ("B", found.other))
