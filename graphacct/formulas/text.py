"""A formula as text: `24 · batch · seq_len · d_model^2`."""

from __future__ import annotations

from fractions import Fraction

from graphacct.formulas.terms import powers
from graphacct.formulas.traced_size import CEIL, FLOOR, MAX, MIN, RATIO, Atom, Recorder, TracedSize

QUOTIENTS = {FLOOR: "floor({} / {})", CEIL: "ceil({} / {})", RATIO: "({}) / ({})"}
EXTREMES = {MAX: "max({})", MIN: "min({})"}


def text(figure: TracedSize | int | Fraction) -> str:
    """Returns a formula in the names of its sizes."""
    if not isinstance(figure, TracedSize):
        return str(figure)
    ordered = sorted(figure.terms.items(), reverse=True)
    return " + ".join(_product(figure.trace, product, number) for product, number in ordered)


def _product(trace: Recorder, product: int, number: int | Fraction) -> str:
    above: list[str] = []
    below: list[str] = []
    for place, power in powers(product):
        atom = trace.atoms[place]
        name = atom.name or _operation(atom)
        (above if power > 0 else below).append(name if abs(power) == 1 else f"{name}^{abs(power)}")
    factors = ([str(number)] if number != 1 or not above else []) + above
    return " · ".join(factors) + "".join(f" / {divisor}" for divisor in below)


def _operation(atom: Atom) -> str:
    parts = [text(part) for part in atom.parts]
    if atom.kind in EXTREMES:
        return EXTREMES[atom.kind].format(", ".join(parts))
    return QUOTIENTS[atom.kind].format(*(f"({part})" if " + " in part else part for part in parts))
