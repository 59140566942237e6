"""A formula as text: `24 · batch · seq_len · d_model^2`."""

from __future__ import annotations

from fractions import Fraction

from graphacct.formulas.terms import powers
from graphacct.formulas.traced_size import Recorder, TracedSize


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
        name = atom.name or f"{atom.kind}({', '.join(map(text, atom.parts))})"
        (above if power > 0 else below).append(name if abs(power) == 1 else f"{name}^{abs(power)}")
    factors = ([str(number)] if number != 1 or not above else []) + above
    return " · ".join(factors) + "".join(f" / {divisor}" for divisor in below)
