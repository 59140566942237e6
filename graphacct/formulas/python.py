"""A formula as a Python function of ints: what it returns is exact.

def kv_heads(d_model, n_head, n_kv_head):
    d_model_per_n_head = d_model // n_head
    return 2 * d_model * n_kv_head * d_model_per_n_head
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import lcm

from graphacct.formulas.collect import Collector
from graphacct.formulas.forms import Form, Name, Operation, Product, Sum
from graphacct.formulas.signs import lowest_powers
from graphacct.formulas.source import Source
from graphacct.formulas.terms import BITS, Number, Terms, powers, product_of, whole
from graphacct.formulas.text import joined
from graphacct.formulas.trace import Trace
from graphacct.formulas.traced_size import CEIL, FLOOR, MAX, MIN, RATIO, SIZE, Atom, Part, TracedSize

WIDTH = 100
OPERATIONS = {
    FLOOR: "({} // {})",
    CEIL: "-(-{} // {})",
    RATIO: "({} / {})",
}


def function(name: str, figure: Part, arguments: Sequence[str], doc: str = "", first: Sequence[int] = ()) -> str:
    """Returns the source of a function of these sizes that returns a figure: an int, or the float nearest to a ratio.

    Args:
        name: The function's name.
        arguments: The names of the sizes.
        doc: Its docstring.
        first: As for `Collector`.
    """
    lines, expression = _body(figure, {size: identifier(size) for size in arguments}, first)
    head = f"def {name}({', '.join(map(identifier, arguments))}):\n"
    if len(head) > WIDTH:
        inner = textwrap.wrap(", ".join(map(identifier, arguments)), WIDTH - 8)
        head = f"def {name}(\n" + "".join(f"    {line}\n" for line in inner) + "):\n"
    assigned = "".join(f"    {line}\n" for line in lines)
    return head + _docstring(doc) + assigned + _returned(expression)


def identifier(name: str) -> str:
    """Returns a size's name as one of Python: `text_config.hidden_size` is `text_config_hidden_size`."""
    made = "".join(each if each.isalnum() else "_" for each in name)
    return f"_{made}" if made[:1].isdigit() else made


def _docstring(doc: str) -> str:
    if not doc:
        return ""
    first, *more = [textwrap.wrap(part, WIDTH - 4) for part in doc.split("\n\n")]
    paragraphs = ["\n".join(f"    {line}" for line in lines) for lines in more]
    end = "\n    " if more else ""
    return '    """' + "\n\n".join(["\n    ".join(first), *paragraphs]) + f'{end}"""\n'


def _returned(expression: str) -> str:
    plain = f"    return {expression}\n"
    if len(plain) <= WIDTH:
        return plain
    inner = textwrap.wrap(expression, WIDTH - 8, break_long_words=False, break_on_hyphens=False)
    return "    return (\n" + "".join(f"        {line}\n" for line in inner) + "    )\n"


def _body(figure: Part, names: Mapping[str, str], first: Sequence[int]) -> tuple[list[str], str]:
    """Returns the assignments before a figure's expression, and the expression."""
    if not isinstance(figure, TracedSize):
        return [], str(figure) if isinstance(figure, int) else repr(float(figure))
    trace = figure.trace
    assert isinstance(trace, Trace)
    quotients = _Quotients(trace, names)
    collector = Collector(quotients.atoms, first, quotients.replaced)
    try:
        if type(figure.value) is not int:
            expression = _fraction(figure, collector, names, "/")
        else:
            try:
                expression = _written(collector.of(figure), names)
            except _NotWholeError:  # a sum is whole whose terms are not, each by itself
                expression = _fraction(figure, collector, names, "//")
    except _NotWholeError:
        source = Source(trace, True, names)
        expression = source.of(figure)
        return [line.replace("maximum(", "max(").replace("minimum(", "min(") for line in source.lines], expression
    return quotients.lines(_used(expression)), expression


def _fraction(figure: TracedSize, collector: Collector, names: Mapping[str, str], sign: str) -> str:
    """Returns a figure as one sum over another one, so that it is rounded once, or not at all."""
    if len(figure.terms) == 1 and (atom := _only(figure)) is not None and atom.kind == RATIO:
        above, below = (_written(collector.of(part), names, True) for part in atom.parts)
        return f"{above} {sign} {below}"
    lowest = lowest_powers(figure.terms)
    factor = product_of((place, -power) for place, power in lowest.items())
    number = lcm(*[each.denominator for each in figure.terms.values()])
    terms = {product + factor: whole(each * number) for product, each in figure.terms.items()}
    above, below = (_written(collector.of_terms(each), names, True) for each in (terms, {factor: number}))
    return f"{above} {sign} {below}"


def _only(figure: TracedSize) -> Atom | None:
    ((product, number),) = figure.terms.items()
    found = list(powers(product))
    return figure.trace.atoms[found[0][0]] if number == 1 and len(found) == 1 and found[0][1] == 1 else None


class _NotWholeError(Exception):
    """A term is no whole number by itself."""


class _Quotients:
    """Quotients that are whole wherever the guards hold, as variables in place of the divisions."""

    def __init__(self, trace: Trace, names: Mapping[str, str]) -> None:
        self.trace, self.names = trace, names
        self.atoms = list(trace.atoms)
        self._lines: dict[str, str] = {}
        self._places: list[tuple[int, Number, int]] = []
        taken = set(names.values())
        for quotient in trace.whole_quotients:
            if len(quotient) == 1:
                ((base, factor),) = quotient.items()
                self._add(base, factor, taken)

    def replaced(self, terms: Terms) -> Terms:
        """Returns a sum of products without divisions. Raises _NotWholeError if a term is no whole number."""
        found: Terms = {}
        for product, number in terms.items():
            made, factor = product, number
            while type(factor) is not int or any(power < 0 for _, power in powers(made)):
                made, factor = self._replaced(made, factor)
            found[made] = found.get(made, 0) + factor
        return found

    def lines(self, used: set[str]) -> list[str]:
        """Returns the assignments of the variables that are used."""
        return [line for name, line in self._lines.items() if name in used]

    def _replaced(self, product: int, number: Number) -> tuple[int, Number]:
        for base, factor, place in self._places:
            rest, other = product - base, whole(Fraction(number) / factor)
            if type(other) is int and all(power > 0 for _, power in powers(rest)):
                return rest + (1 << (BITS * place)), other
        raise _NotWholeError

    def _add(self, base: int, factor: Number, taken: set[str]) -> None:
        above = [(place, power) for place, power in powers(base) if power > 0]
        below = [(place, -power) for place, power in powers(base) if power < 0]
        if not all(self.atoms[place].kind == SIZE for place, _ in (*above, *below)):
            return
        number = factor.denominator
        texts = ["_".join([self._name(place) for place, _ in each]) for each in (above, below)]
        name = f"{texts[0]}_per_{f'{number}_' if number != 1 else ''}{texts[1]}".strip("_")
        while name in taken:
            name += "_"
        taken.add(name)
        divisors = [f"{number}"] if number != 1 else []
        divisors += [self._name(place) + (f"**{power}" if power != 1 else "") for place, power in below]
        divisor = divisors[0] if len(divisors) == 1 else f"({' * '.join(divisors)})"
        factors = [f"{factor.numerator}"] if factor.numerator != 1 else []
        factors += [self._name(place) + (f"**{power}" if power != 1 else "") for place, power in above]
        self._lines[name] = f"{name} = {' * '.join(factors)} // {divisor}"
        value = self.trace.worth({base: factor})
        self._places.append((base, factor, len(self.atoms)))
        self.atoms.append(Atom(SIZE, name, value=value))

    def _name(self, place: int) -> str:
        name = self.atoms[place].name
        return self.names.get(name, identifier(name))


def _used(expression: str) -> set[str]:
    return set("".join(each if each.isalnum() or each == "_" else " " for each in expression).split())


def _written(form: Form, names: Mapping[str, str], inner: bool = False) -> str:
    """Returns a form as a Python expression; `inner` if it is one side of a division."""
    found = _expression(form, names)
    return f"({found})" if inner and " " in found and not isinstance(form, Operation) else found


def _expression(form: Form, names: Mapping[str, str]) -> str:
    if isinstance(form, Name):
        return names.get(form.text, form.text)
    if isinstance(form, Product):
        if form.below or form.divisor != 1:
            raise _NotWholeError
        number = abs(form.number)
        factors = [str(number)] if number != 1 or not form.above else []
        factors += [_power(factor, power, names) for factor, power in form.above]
        return ("-" if form.number < 0 else "") + " * ".join(factors)
    if isinstance(form, Sum):
        return joined([_expression(part, names) for part in form.parts], " + ", " - ", "-")
    if form.kind in (MAX, MIN):
        return f"{'max' if form.kind == MAX else 'min'}({', '.join(_expression(part, names) for part in form.parts)})"
    return OPERATIONS[form.kind].format(*(_written(part, names, True) for part in form.parts))


def _power(form: Form, power: int, names: Mapping[str, str]) -> str:
    plain = _expression(form, names)
    single = isinstance(form, Name) or (isinstance(form, Operation) and form.kind in (MAX, MIN, FLOOR, RATIO))
    if not single:
        plain = f"({plain})"
    return plain if power == 1 else f"{plain}**{power}"
