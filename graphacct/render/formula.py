"""Formulas as text, LaTeX, Markdown, Python and plain values (docs/json.md)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphacct.formulas.latex import name as latex_name
from graphacct.render.markdown import code, escaped
from graphacct.render.notes import forward_notes
from graphacct.render.printable import printable
from graphacct.render.tex import escaped as escaped_in_tex

if TYPE_CHECKING:
    from graphacct.deriving.formula import Formula

SCHEMA = "graphacct.formula/1"
WIDTH = 100
"""Characters of a line of text."""
LABEL = 40
"""Characters of the longest label beside which the lines of a formula stand."""
DEEP = 6
"""How far they are indented below a longer one."""


def to_text(formulas: Sequence[Formula], exponents: bool = False, width: int = WIDTH) -> str:
    """Returns formulas as text: each with its value, what it is made of, and when it holds."""
    blocks = []
    for formula in formulas:
        lines = list(_equation(formula, width))
        longest = max((len(part.path) for part in formula.parts), default=0)
        for part in formula.parts:
            lines += _part(part, min(longest, LABEL), width)
        lines += _wrapped("for ", ", ".join(formula.conditions), width)
        lines += _wrapped("", formula.note, width)
        blocks.append("\n".join(lines))
    if exponents:
        blocks += ["\n".join(_exponents(some)) for some in _beside(formulas, width)]
    first = formulas[0]
    ends = _wrapped("with ", ", ".join(f"{name} {value:,}" for name, value in _point(formulas).items()), width)
    for note in _forward(formulas):
        ends += _wrapped("", note, width)
    for held in first.held:
        ends += _wrapped("", f"{held.name} stays {held.value:,}: {held.reason}", width)
    return "\n\n".join([printable(first.model), *blocks, *(["\n".join(ends)] if ends else [])])


def to_latex(formulas: Sequence[Formula]) -> str:
    """Returns formulas in LaTeX, one a line, with comments that say of what, and when they hold."""
    lines = []
    for formula in formulas:
        lines += [f"% {printable(line)}" for line in _said(formula)]
        lines += [rf"\[ {_left(each)} = {each.latex} \]" for each in (*formula.parts, formula)]
    point = ", ".join(f"{name} {value:,}" for name, value in _point(formulas).items())
    return "\n".join([*lines, *([f"% with {point}"] if point else []), *(f"% {note}" for note in _forward(formulas))])


def to_markdown(formulas: Sequence[Formula], exponents: bool = False) -> str:
    """Returns formulas in Markdown, with inline mathematics."""
    blocks = [f"**{escaped(printable(formulas[0].model))}**"]
    for formula in formulas:
        head = f"{code(_label(formula))}: ${formula.latex}$ = {_value(formula)}"
        if formula.parts:
            rows = [f"| {code(part.path)} | {_value(part)} | ${part.latex}$ |" for part in formula.parts]
            head += "\n\n" + "\n".join([f"| Scope | {formula.quantity} | Formula |", "| --- | ---: | --- |", *rows])
        told = [f"For {', '.join(f'`{each}`' for each in formula.conditions)}."] if formula.conditions else []
        blocks.append("\n\n".join([head, *told, *([escaped(formula.note)] if formula.note else [])]))
    if exponents:
        names = _point(formulas)
        titles = "".join(["| Exponent of |", *(f" {code(_label(formula))} |" for formula in formulas)])
        rows = [
            "".join([f"| {code(name)} |", *(f" {formula.exponents.get(name, 0.0):.3f} |" for formula in formulas)])
            for name in names
        ]
        blocks.append("\n".join([titles, "| --- |" + " ---: |" * len(formulas), *rows]))
    point = ", ".join(f"{code(name)} {value:,}" for name, value in _point(formulas).items())
    blocks += [f"With {point}."] if point else []
    held = [f"{code(each.name)} stays {each.value:,}: {escaped(each.reason)}." for each in formulas[0].held]
    return "\n\n".join([*blocks, *(f"{escaped(note)}." for note in _forward(formulas)), *held])


def to_python(formulas: Sequence[Formula]) -> str:
    """Returns Python functions, each of which needs nothing else."""
    return "\n\n".join(each.python for formula in formulas for each in (*formula.parts, formula)).rstrip("\n")


def to_dict(formulas: Sequence[Formula]) -> dict[str, Any]:
    """Returns formulas as plain values: see docs/json.md."""
    first = formulas[0]
    return {
        "schema": SCHEMA,
        "model": first.model,
        "formulas": [_plain(formula) for formula in formulas],
        "held": [{"name": held.name, "value": held.value, "reason": held.reason} for held in first.held],
    }


def notebook(formulas: Sequence[Formula]) -> str:
    """Returns formulas as mathematics for a notebook, one a line."""
    lines = [rf"{_left(each)} &= {each.latex}" for formula in formulas for each in (*formula.parts, formula)]
    return r"$$\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}$$"


def one_text(formula: Formula) -> str:
    """Returns one formula as text."""
    return to_text([formula])


def one_dict(formula: Formula) -> dict[str, Any]:
    """Returns one formula as plain values."""
    return to_dict([formula])


def one_notebook(formula: Formula) -> str:
    """Returns one formula as mathematics for a notebook."""
    return notebook([formula])


def _plain(formula: Formula) -> dict[str, Any]:
    found = {
        "quantity": formula.quantity,
        "unit": formula.unit,
        "path": formula.path or None,
        "text": formula.text,
        "latex": formula.latex,
        "python": formula.python,
        "symbols": dict(formula.symbols),
        "conditions": list(formula.conditions),
        "value": formula.value,
        "exponents": formula.exponents,
        "note": formula.note or None,
    }
    return {**found, "parts": [_plain(part) for part in formula.parts]} if formula.parts else found


def _equation(formula: Formula, width: int) -> Iterator[str]:
    label = printable(_label(formula))
    yield from _formula(f"{label} = ", formula, width)
    if formula.symbols:
        yield f"{'':{len(label) if len(label) <= LABEL else DEEP - 3}} = {_value(formula)}"


def _part(part: Formula, label: int, width: int) -> list[str]:
    """Returns the lines of one scope: its path, the formula beside it, and the value below that."""
    head = f"  {printable(part.path):{label}} = "
    value = [f"{'':{label + 2}} = {_value(part)}"] if part.symbols else []
    return [*_formula(head, part, width), *value]


def _formula(head: str, formula: Formula, width: int) -> Iterator[str]:
    """Yields the lines of a formula; each of several sums on lines of its own."""
    sums = formula.largest_of
    if not sums or len(head) + len(formula.text) <= width:
        yield from _wrapped(head, printable(formula.text), width)
        return
    yield f"{head}max("
    before = " " * (len(head) - len(head.lstrip()))
    for place, each in enumerate(sums, 1):
        end = ")" if place == len(sums) else ","
        yield from textwrap.wrap(
            f"{before}    {printable(each)}{end}",
            width,
            subsequent_indent=f"{before}        ",
            break_on_hyphens=False,
        )


def _forward(formulas: Sequence[Formula]) -> tuple[str, ...]:
    return forward_notes({formula.quantity: formula.forward_of for formula in formulas if formula.forward_of})


def _beside(formulas: Sequence[Formula], width: int) -> Iterator[list[Formula]]:
    """Yields the formulas whose exponents stand in one table, as many as its width has room for."""
    first = used = max(map(len, [*_point(formulas), "exponent of"]))
    some: list[Formula] = []
    for formula in formulas:
        wide = max(len(_label(formula)), 8) + 2
        if some and used + wide > width:
            yield some
            some, used = [], first
        some.append(formula)
        used += wide
    yield some


def _exponents(formulas: Sequence[Formula]) -> Iterator[str]:
    found = [formula.exponents for formula in formulas]
    names = [name for name in _point(formulas) if any(name in each for each in found)]
    first = max(map(len, [*names, "exponent of"]))
    widths = [max(len(_label(formula)), 8) for formula in formulas]
    heads = "  ".join(f"{_label(formula):>{width}}" for formula, width in zip(formulas, widths, strict=True))
    yield f"{'exponent of':{first}}  {heads}"
    for name in names:
        cells = "  ".join(f"{each.get(name, 0.0):>{width}.3f}" for each, width in zip(found, widths, strict=True))
        yield f"{name:{first}}  {cells}"


def _said(formula: Formula) -> list[str]:
    told = f", for {', '.join(formula.conditions)}" if formula.conditions else ""
    lines = [f"{_label(formula)} of {printable(formula.model)}: {_value(formula)} ({formula.unit}){told}"]
    return [*lines, *([formula.note] if formula.note else [])]


def _label(formula: Formula) -> str:
    return f"{formula.quantity}({formula.path})" if formula.path else formula.quantity


def _left(formula: Formula) -> str:
    """Returns what a formula is of, in LaTeX."""
    path = rf"\left( \texttt{{{escaped_in_tex(printable(formula.path))}}} \right)" if formula.path else ""
    return rf"{latex_name(formula.quantity)}{path}"


def _point(formulas: Sequence[Formula]) -> Mapping[str, int]:
    """Returns the sizes of all formulas with their values, in the model's order."""
    found: dict[str, int] = {}
    for formula in formulas:
        for each in (formula, *formula.parts):
            found |= {name: value for name, value in each.symbols.items() if name not in found}
    return {name: found[name] for name in formulas[0].point if name in found}


def _value(formula: Formula) -> str:
    value = formula.value
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _wrapped(head: str, text: str, width: int) -> list[str]:
    """Returns a text in lines of a width, those after the first indented as far as the `head` goes."""
    if not text:
        return []
    deep = len(head) if len(head) <= LABEL + len("   = ") else DEEP
    return textwrap.wrap(f"{head}{text}", width, subsequent_indent=" " * min(deep, width // 2), break_on_hyphens=False)
