"""Formulas as JavaScript source, over BigInt: what they give is exact, as in Python.

Division is what differs: BigInt rounds towards 0, and has no fractions. So a formula is written as one sum over
another, rounded by the functions of `exact.js`; what is no whole number is a fraction there.

    params, with n_layer and d_model:  $n_layer * ($d_model * (12n * $d_model + 13n)) + 51283n * $d_model
    ceil(seq_len / 8):                 ceilDiv($seq_len, 8n)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import lcm

from graphacct.formulas.guards import Guard
from graphacct.formulas.nested import Nested
from graphacct.formulas.signs import lowest_powers
from graphacct.formulas.terms import BITS, Number, Terms, added, powers, product_of, whole
from graphacct.formulas.traced_size import CEIL, FLOOR, MAX, MIN, RATIO, SIZE, Part, Recorder, TracedSize

ONE: Terms = {0: 1}
LONG = 8
"""A sum of so many products may be written as an earlier one and the rest."""
RECENT = 16
"""So many earlier ones are tried."""
SIGNS = {("==", True): "===", ("==", False): "!==", ("<", True): "<", ("<", False): ">="}


def variable_of(name: str) -> str:
    """Returns the variable of a size, which is no word of the language: `text_config.hidden_size` is
    `$text_config_hidden_size`."""
    return "$" + "".join(each if each.isascii() and each.isalnum() else "_" for each in name)


def literal(number: Number) -> str:
    """Returns a whole number as a BigInt."""
    return f"{int(number)}n" if number >= 0 else f"({int(number)}n)"


class JavaScript(Nested):
    """The expressions of one trace's formulas.

    An atom is a variable, or two where it may be a fraction: the number above and the one below. `_places` are the
    variables of each atom, as places in products of this class's own.

    Attributes:
        lines: The declarations that expressions refer to, in order.
    """

    def __init__(self, trace: Recorder) -> None:
        self.trace = trace
        self.lines: list[str] = []
        self._variables: list[str] = []
        self._places: dict[int, tuple[int, int | None]] = {}
        self._positive: set[int] = set()
        self._sums: deque[tuple[int, Terms]] = deque(maxlen=RECENT)

    def of(self, figure: Part) -> str:
        """Returns the expression of a figure: a BigInt, or a fraction where the division leaves a rest."""
        above, below = self._pair(figure)
        return self._short(above) if below == ONE else f"fraction({self.sum(above)}, {self.sum(below)})"

    def condition(self, guard: Guard) -> str:
        """Returns the expression that is true where a guard is as it was."""
        above, below = self._over(self._own(dict(guard.terms)))
        text = self.sum(above)
        if guard.kind == "<" and not self._is_positive(below):
            text = f"({text}) * ({self.sum(below)})"
        return f"{text} {SIGNS[guard.kind, guard.holds]} 0n"

    def variable(self, place: int) -> str:
        """Returns the name of a variable."""
        return self._variables[place]

    def literal(self, number: Number) -> str:
        """Returns a number; coefficients are whole here."""
        return literal(number)

    def _pair(self, part: Part) -> tuple[Terms, Terms]:
        """Returns a formula as one sum over one product, with the variables of this class."""
        if not isinstance(part, TracedSize):
            return {0: part.numerator}, {0: part.denominator}
        return self._over(self._own(part.terms))

    def _over(self, terms: Terms) -> tuple[Terms, Terms]:
        lowest = lowest_powers(terms)
        number = lcm(*[each.denominator for each in terms.values()])
        factor = product_of((place, -power) for place, power in lowest.items())
        return {product + factor: whole(each * number) for product, each in terms.items()}, {factor: number}

    def _own(self, terms: Terms) -> Terms:
        found: Terms = {}
        for product, number in terms.items():
            mine = 0
            for place, power in powers(product):
                above, below = self._atom(place)
                mine += power << (BITS * above)
                mine -= 0 if below is None else power << (BITS * below)
            found[mine] = found.get(mine, 0) + number
        return {product: number for product, number in found.items() if number}

    def _atom(self, place: int) -> tuple[int, int | None]:
        if place not in self._places:
            self._places[place] = self._declared(place)
        return self._places[place]

    def _declared(self, place: int) -> tuple[int, int | None]:
        """Returns the variables of an atom, declared in `lines` unless it is a size."""
        atom = self.trace.atoms[place]
        if atom.kind == SIZE:
            self._positive.add(len(self._variables))
            return self._new(variable_of(atom.name)), None
        pairs = [self._pair(part) for part in atom.parts]
        if atom.kind in (FLOOR, CEIL, RATIO):
            (a, b), (c, d) = pairs
            above, below = self._product(a, d), self._product(b, c)
            if atom.kind == RATIO:
                return self._line(above), self._line(below)
            return self._line(f"{'floorDiv' if atom.kind == FLOOR else 'ceilDiv'}({above}, {below})"), None
        if all(below == ONE for _, below in pairs):
            parts = ", ".join(self._short(above) for above, _ in pairs)
            return self._line(f"{'max' if atom.kind == MAX else 'min'}({parts})"), None
        assert atom.kind in (MAX, MIN)
        parts = ", ".join(f"[{self.sum(above)}, {self.sum(below)}]" for above, below in pairs)
        both = self._line(f"{'largest' if atom.kind == MAX else 'smallest'}({parts})")
        return self._line(f"{self._variables[both]}[0]"), self._line(f"{self._variables[both]}[1]")

    def _short(self, terms: Terms) -> str:
        """Returns the expression of a sum; of a long one its variable. It is declared as an earlier one and the rest,
        if that is shorter: what is alive at one kernel is nearly what is alive at the next one."""
        if len(terms) < LONG:
            return self.sum(terms)
        if self._sums:
            place, other = min(self._sums, key=lambda each: _apart(terms, each[1]))
            rest = added(terms, other, -1)
        else:
            place, rest = 0, terms
        if not rest:
            return self._variables[place]
        near = 2 * len(rest) < len(terms)
        mine = self._line(f"{self._variables[place]} + {self.sum(rest)}" if near else self.sum(terms))
        self._sums.append((mine, terms))
        return self._variables[mine]

    def _product(self, one: Terms, other: Terms) -> str:
        texts = [self.sum(each) for each in (one, other) if each != ONE]
        if len(texts) < 2:
            return texts[0] if texts else literal(1)
        return " * ".join(f"({text})" if " " in text else text for text in texts)

    def _is_positive(self, product: Terms) -> bool:
        ((base, number),) = product.items()
        return number > 0 and all(place in self._positive for place, _ in powers(base))

    def _line(self, expression: str) -> int:
        place = self._new(f"_{len(self.lines)}")
        self.lines.append(f"const {self._variables[place]} = {expression};")
        return place

    def _new(self, name: str) -> int:
        self._variables.append(name)
        return len(self._variables) - 1


def _apart(one: Terms, other: Terms) -> int:
    """Returns how many products two sums have not in common."""
    return len({product for product, _ in one.items() ^ other.items()})


def body(trace: Recorder, figures: Iterable[Part]) -> str:
    """Returns the body of a function of the sizes' variables that returns the figures as an array."""
    source = JavaScript(trace)
    found = [source.of(figure) for figure in figures]
    return "\n".join([*source.lines, f"return [{', '.join(found)}];"])
