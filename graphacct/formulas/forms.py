"""A formula as it is written: sums in products and products in sums, before it becomes text, LaTeX or Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import attrs

from graphacct.formulas.terms import Number


@attrs.frozen
class Name:
    """A size, by its name; or how often a block repeats, as a number.

    Attributes:
        text: The name, or the number with commas.
    """

    text: str


@attrs.frozen
class Product:
    """A number times powers, over other powers: `3 · seq_len · d_model / (2 · n_head)`.

    Attributes:
        number: The number above.
        above: Each factor with its power.
        below: Each divisor with its power.
        divisor: The number below.
    """

    number: int
    above: tuple[tuple[Form, int], ...] = ()
    below: tuple[tuple[Form, int], ...] = ()
    divisor: int = 1


@attrs.frozen
class Sum:
    """A sum of products.

    Attributes:
        parts: The products, at least two; those below 0 have a number below 0.
    """

    parts: tuple[Product, ...]


@attrs.frozen
class Operation:
    """A rounded quotient, a quotient, or the largest or smallest of several.

    Attributes:
        kind: As of an `Atom`.
        parts: What it is of.
    """

    kind: str
    parts: tuple[Form, ...]


Form: TypeAlias = Name | Product | Sum | Operation


def product(number: Number, above: tuple[tuple[Form, int], ...] = (), below: tuple[tuple[Form, int], ...] = ()) -> Form:
    """Returns a product, its number split; what is a single factor is that factor."""
    if number == 1 and not below and len(above) == 1 and above[0][1] == 1:
        return above[0][0]
    return Product(number.numerator, above, below, number.denominator)


def names(form: Form) -> Iterator[str]:
    """Yields the names in a form, each as often as it is there."""
    if isinstance(form, Name):
        yield form.text
    elif isinstance(form, Product):
        for factor, _ in (*form.above, *form.below):
            yield from names(factor)
    else:
        for part in form.parts:
            yield from names(part)
