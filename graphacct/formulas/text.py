"""A formula as text: `24 · batch · seq_len · d_model²`."""

from __future__ import annotations

from collections.abc import Sequence

from graphacct.formulas.collect import Collector
from graphacct.formulas.forms import Form, Name, Operation, Product, Sum
from graphacct.formulas.traced_size import CEIL, FLOOR, MAX, MIN, RATIO, Part, TracedSize

FUNCTIONS = {FLOOR: "floor({})", CEIL: "ceil({})", RATIO: "{}", MAX: "max({})", MIN: "min({})"}
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
MINUS = "−"


def text(figure: Part, *, collected: bool = True) -> str:
    """Returns a formula in the names of its sizes: collected, as a person writes it, or as one sum of products.

    The text of one product, or of a sum of two or three that share nothing, is the same in both.
    """
    if not isinstance(figure, TracedSize):
        return written(Collector(()).of(figure))
    collector = Collector(figure.trace.atoms)
    return written(collector.of(figure) if collected else collector.flat(figure.terms))


def written(form: Form) -> str:
    """Returns a form as text."""
    if isinstance(form, Name):
        return form.text
    if isinstance(form, Product):
        return _product(form)
    if isinstance(form, Sum):
        return joined([written(part) for part in form.parts], " + ", f" {MINUS} ", MINUS)
    if form.kind in (MAX, MIN):
        return FUNCTIONS[form.kind].format(", ".join(map(written, form.parts)))
    above, below = form.parts
    return FUNCTIONS[form.kind].format(f"{_inner(above)} / {_inner(below, divisor=True)}")


def joined(parts: Sequence[str], plus: str, minus: str, sign: str) -> str:
    """Returns the texts of terms as a sum; one that begins with a `sign` is taken away."""
    found = parts[0]
    for part in parts[1:]:
        found += f"{minus}{part[len(sign) :]}" if part.startswith(sign) else f"{plus}{part}"
    return found


def _product(form: Product) -> str:
    number = abs(form.number)
    factors = [f"{number:,}"] if number != 1 or not form.above else []
    lone = len(form.above) == 1 and not factors and not form.below and form.divisor == 1
    factors += [_power(factor, power, lone) for factor, power in form.above]
    divisors = [f"{form.divisor:,}"] if form.divisor != 1 else []
    divisors += [_power(factor, power) for factor, power in form.below]
    below = divisors[0] if len(divisors) == 1 else f"({' · '.join(divisors)})"
    sign = MINUS if form.number < 0 else ""
    return f"{sign}{' · '.join(factors)}" + (f" / {below}" if divisors else "")


def _power(form: Form, power: int, lone: bool = False) -> str:
    base = written(form) if lone and power == 1 and not isinstance(form, Sum) else _inner(form)
    return base if power == 1 else f"{base}{str(power).translate(SUPERSCRIPTS)}"


def _inner(form: Form, divisor: bool = False) -> str:
    """Returns a form as a factor: a sum in brackets; as a divisor a product with several factors too."""
    plain = written(form)
    several = (
        isinstance(form, Sum)
        or (isinstance(form, Operation) and form.kind == RATIO)
        or (isinstance(form, Product) and (divisor or form.below) and " " in plain)
    )
    return f"({plain})" if several else plain
