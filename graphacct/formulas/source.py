"""Formulas as Python source: one function of the sizes, for ints, or for numpy arrays of floats or of ints.

Each sum is nested (`nested.py`): with arrays that broadcast, as the axes of a grid do, most of the arithmetic is then
on fewer axes than the grid has.

    params, with n_layer and d_model:  n_layer * (d_model * (12 * d_model + 13)) + 51283 * d_model
"""

from __future__ import annotations

from collections.abc import Mapping
from math import lcm

from graphacct.formulas.guards import Guard
from graphacct.formulas.nested import Nested
from graphacct.formulas.signs import lowest_powers
from graphacct.formulas.terms import Number, Terms, product_of, whole
from graphacct.formulas.traced_size import CEIL, FLOOR, MAX, MIN, RATIO, SIZE, Recorder, TracedSize

OPERATIONS = {
    FLOOR: "({}) // ({})",
    CEIL: "-(-({}) // ({}))",
    RATIO: "({}) / ({})",
    MAX: "maximum({}, {})",
    MIN: "minimum({}, {})",
}
"""Operations on two, or on one after the other."""


class Source(Nested):
    """The expressions of one trace's formulas, in Python.

    Attributes:
        exact: Whether sizes are ints: whole quotients are then divided by `//`.
        lines: The assignments that expressions refer to, in order.
    """

    def __init__(self, trace: Recorder, exact: bool, names: Mapping[str, str] | None = None) -> None:
        """`names` are the variables of sizes that are not called as in the trace."""
        self.trace, self.exact, self.names = trace, exact, names or {}
        self.lines: list[str] = []
        self._atoms: dict[int, str] = {}

    def of(self, figure: TracedSize | Number) -> str:
        """Returns the expression of a figure."""
        if not isinstance(figure, TracedSize):
            return self.literal(figure)
        is_whole = type(figure.value) is int
        return self._quotient(figure.terms, is_whole)

    def condition(self, guard: Guard) -> str:
        """Returns the expression that is true where a guard is as it was."""
        sign = {("==", True): "==", ("==", False): "!=", ("<", True): "<", ("<", False): ">="}
        return f"{self.sum(dict(guard.terms))} {sign[guard.kind, guard.holds]} 0"

    def _quotient(self, terms: Terms, is_whole: bool) -> str:
        """Returns a sum over one divisor: each of its terms alone need not be whole."""
        lowest = lowest_powers(terms)
        number = lcm(*[each.denominator for each in terms.values()])
        if number == 1 and not lowest:
            return self.sum(terms)
        factor = product_of((place, -power) for place, power in lowest.items())
        above = {product + factor: whole(each * number) for product, each in terms.items()}
        sign = "//" if self.exact and is_whole else "/"
        return f"({self.sum(above)}) {sign} ({self.sum({factor: number})})"

    def variable(self, place: int) -> str:
        """Returns the name of an atom's value, assigned in `lines`."""
        atom = self.trace.atoms[place]
        if atom.kind == SIZE:
            return self.names.get(atom.name, atom.name)
        if place not in self._atoms:
            parts = [self.of(part) for part in atom.parts]
            made = paired(OPERATIONS[atom.kind], parts)
            name = f"_{len(self._atoms)}"
            self._atoms[place] = name
            self.lines.append(f"{name} = {made}")
        return self._atoms[place]

    def literal(self, number: Number) -> str:
        """Returns a number: as a float where sizes are, since numpy has no floats that multiply by large ints."""
        return str(number) if self.exact and isinstance(number, int) else repr(float(number))


def paired(operation: str, parts: list[str]) -> str:
    """Returns an operation of two on any number of parts, nested as little as possible: Python reads
    no more than 200 parentheses inside each other.

    >>> paired("max({}, {})", ["a", "b", "c", "d", "e"])
    'max(max(max(a, b), max(c, d)), e)'
    """
    while len(parts) > 1:
        pairs = [parts[place : place + 2] for place in range(0, len(parts), 2)]
        parts = [operation.format(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
    return parts[0]
