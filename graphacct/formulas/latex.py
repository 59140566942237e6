"""A formula in LaTeX: `24 \\cdot \\mathrm{batch} \\cdot \\mathrm{seq\\_len} \\cdot d_{\\mathrm{model}}^{2}`."""

from __future__ import annotations

from graphacct.formulas.forms import Form, Name, Product, Sum
from graphacct.formulas.text import joined
from graphacct.formulas.traced_size import CEIL, FLOOR, MAX, MIN, RATIO

OPERATIONS = {
    FLOOR: r"\left\lfloor {} \right\rfloor",
    CEIL: r"\left\lceil {} \right\rceil",
    RATIO: "{}",
    MAX: r"\max\left( {} \right)",
    MIN: r"\min\left( {} \right)",
}
TIMES = r" \cdot "
SHORT = 2
"""A name with so few characters before its first `_` has what follows as its index: `n_head`."""


def latex(form: Form) -> str:
    """Returns a form in LaTeX, without the signs around it that begin mathematics."""
    if isinstance(form, Name):
        return name(form.text)
    if isinstance(form, Product):
        return _product(form)
    if isinstance(form, Sum):
        return joined([latex(part) for part in form.parts], " + ", " - ", "-")
    parts = [latex(part) for part in form.parts]
    inner = ", ".join(parts) if form.kind in (MAX, MIN) else rf"\frac{{{parts[0]}}}{{{parts[1]}}}"
    return OPERATIONS[form.kind].replace("{}", inner)


def name(text: str) -> str:
    """Returns a size's name in LaTeX: its first letters in italics with an index, or upright words."""
    if text[0].isdigit():
        return text.replace(",", "{,}")
    first, _, rest = text.partition("_")
    if rest and len(first) <= SHORT:
        return rf"{first}_{{\mathrm{{{_escaped(rest)}}}}}"
    return rf"\mathrm{{{_escaped(text)}}}" if len(text) > 1 else text


def _escaped(text: str) -> str:
    return text.replace("_", r"\_")


def _product(form: Product) -> str:
    sign = "-" if form.number < 0 else ""
    number = abs(form.number)
    above = [_number(number)] if number != 1 or not form.above else []
    below = [_number(form.divisor)] if form.divisor != 1 else []
    alone = len(form.above) + len(above) == 1
    above += [_power(factor, power, alone and bool(below or form.below)) for factor, power in form.above]
    alone = len(form.below) + len(below) == 1
    below += [_power(factor, power, alone) for factor, power in form.below]
    if not below:
        return sign + TIMES.join(above)
    return rf"{sign}\frac{{{TIMES.join(above)}}}{{{TIMES.join(below)}}}"


def _power(form: Form, power: int, alone: bool) -> str:
    plain = latex(form)
    if isinstance(form, Sum) and not (alone and power == 1):
        plain = rf"\left( {plain} \right)"
    elif power != 1 and not isinstance(form, Name):
        plain = rf"\left( {plain} \right)"
    return plain if power == 1 else f"{plain}^{{{power}}}"


def _number(number: int) -> str:
    return f"{number:,}".replace(",", "{,}")
