"""A solution as plain values (docs/json.md) and as a table: the conditions at the size found and at its neighbour."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from graphacct.render.notes import forward_notes, stays_note, workload_words
from graphacct.render.printable import printable
from graphacct.render.records import plain_value
from graphacct.render.sheet_parts import Column, Line, Sheet

if TYPE_CHECKING:
    from graphacct.solving.asked import Side
    from graphacct.solving.solution import Solution, Trial

SCHEMA = "graphacct.solve/1"
CROSSING = "crossing"
WORDS = {"max": "largest", "min": "smallest"}


def to_dict(found: Solution) -> dict[str, Any]:
    """Returns a solution as plain values: see docs/json.md."""
    return {
        "schema": SCHEMA,
        "model": found.model,
        "workload": {name: plain_value(value, name) for name, value in found.workload.items()},
        "for": found.name,
        "key": found.key,
        "goal": found.goal,
        "where": list(found.where),
        "size": found.size,
        "at": _trial(found.at),
        "beside": None if found.beside is None else _trial(found.beside),
        "equal": found.equal if found.goal == CROSSING else None,
        "monotone": found.monotone,
        "tried": found.tried,
        "refused": found.refused,
        "refusal": found.refusal or None,
        "limit": found.limit or None,
        "positions": found.positions or None,
    }


def records(found: Solution) -> list[dict[str, Any]]:
    """Returns one dictionary a comparison at each of the two sizes, for CSV."""
    trials = [found.at] if found.beside is None else [found.at, found.beside]
    return [
        {"model": found.model, "for": found.name, "size": trial.size, "found": trial is found.at, **_side(side)}
        for trial in trials
        for side in trial.sides
    ]


def sheet(found: Solution) -> Sheet:
    """Returns a solution as a table's lines: both sides of each comparison, in full digits, at the size found and at
    its neighbour."""
    trials = sorted([found.at, *([] if found.beside is None else [found.beside])], key=lambda trial: trial.size)
    lines: dict[str, Line] = {}
    for place, side in enumerate(found.at.sides):
        sides = [trial.sides[place] for trial in trials]
        if side.sign == "is":
            lines[side.left] = _line(side.left, ["yes" if each.holds else "no" for each in sides])
            continue
        lines.setdefault(side.left, _line(side.left, [_digits(each.left_value) for each in sides]))
        lines.setdefault(side.right, _line(side.right, [_digits(each.right_value) for each in sides]))
        if found.goal == CROSSING:
            apart = [_digits(each.left_value - each.right_value, "+") for each in sides]
            lines["difference"] = _line("difference", apart)
        else:
            text = f"{side.left} {side.sign} {side.right}"
            lines[text] = _line(text, ["yes" if each.holds else "no" for each in sides])
    return Sheet(
        f"{printable(found.model)}: {printable(found.name)} {found.size:,}",
        workload_words(found.workload),
        (
            Column("Figure"),
            *(Column(f"{printable(found.name)} {trial.size:,}", True) for trial in trials),
        ),
        tuple(lines.values()),
        None,
        tuple(map(printable, _notes(found))),
    )


def to_text(found: Solution) -> str:
    """Returns a solution as a table of text."""
    from graphacct.render.table import to_text as text

    return text(sheet(found))


def to_html(found: Solution) -> str:
    """Returns a solution as an HTML table."""
    from graphacct.render.html import to_html as html

    return html(sheet(found))


def _notes(found: Solution) -> list[str]:
    notes = [_answer(found)]
    if found.key != found.name:
        notes.append(f"{found.name} is the model's {found.key}")
    notes += stays_note(found.stays)
    notes += forward_notes(found.forward_alone)
    if found.positions:
        notes.append(
            f"{found.positions} is raised with {found.name}: the published model has learned no position beyond its own"
        )
    if not found.monotone:
        notes.append(
            f"not monotone: the answer changes more than once among the {found.tried} sizes tried, and sizes between "
            "them may differ too: a range asks for some alone"
        )
    if found.refused:
        notes.append(
            f"{found.tried:,} sizes built; {found.refused:,} others that the model refuses skipped, as {found.refusal}"
        )
    else:
        notes.append(f"{found.tried:,} sizes built")
    return notes


def _answer(found: Solution) -> str:
    side, beside = found.at.sides[0], found.beside
    if found.goal == CROSSING:
        text = f"{found.size:,} is the smallest {found.name} at which {side.left} reaches {side.right}"
        return f"{text}, and they are equal there" if found.equal else f"{text}, and they are not equal there"
    text = f"{found.size:,} is the {WORDS[found.goal]} {found.name} at which the conditions hold"
    if found.limit:
        return f"{text}: {found.limit}"
    which = "next" if found.goal == "max" else "one before"
    return text if beside is None else f"{text}; at the {which}, {beside.size:,}, they do not"


def _trial(trial: Trial) -> dict[str, Any]:
    return {"size": trial.size, "comparisons": [_side(side) for side in trial.sides]}


def _side(side: Side) -> dict[str, Any]:
    return {
        "left": side.left,
        "sign": side.sign,
        "right": side.right,
        "left_value": _plain(side.left_value, side.left),
        "right_value": _plain(side.right_value, side.right),
        "holds": side.holds,
    }


def _plain(value: Any, name: str) -> Any:
    return plain_value(_number(value), name)


def _line(label: str, cells: list[str]) -> Line:
    return Line((printable(label), *cells))


def _digits(value: Any, sign: str = "") -> str:
    return f"{_number(value):{sign},}"


def _number(value: Any) -> Any:
    """Returns a quotient as an int if it is whole, or else as a float; any other value as it is."""
    if not isinstance(value, Fraction):
        return value
    return value.numerator if value.denominator == 1 else float(value)
