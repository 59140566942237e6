"""A formula in LaTeX: `24 \\cdot \\mathrm{batch} \\cdot \\mathrm{seq\\ len} \\cdot d_{\\mathrm{model}}^{2}`.

A name that begins with a single letter and `_` is that letter with the rest as its index; any other is its words, with
`\\ ` between them. So there is no `\\_`, of which Markdown makes `_`.
"""

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
    """Returns a size's name in LaTeX: a letter in italics, which may have an index, or upright words."""
    if text[0].isdigit():
        return text.replace(",", "{,}")
    letter, _, index = text.partition("_")
    if len(letter) == 1 and index:
        return rf"{letter}_{{\mathrm{{{_words(index)}}}}}"
    return text if len(text) == 1 else rf"\mathrm{{{_words(text)}}}"


def _words(text: str) -> str:
    """Returns a name's words with blanks between them that LaTeX keeps."""
    return text.replace("_", r"\ ")


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
    bracketed = isinstance(form, Sum) if power == 1 and not alone else power != 1 and not isinstance(form, Name)
    if bracketed:
        plain = rf"\left( {plain} \right)"
    return plain if power == 1 else f"{plain}^{{{power}}}"


def _number(number: int) -> str:
    return f"{number:,}".replace(",", "{,}")
