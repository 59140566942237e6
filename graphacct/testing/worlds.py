"""One formula, three worlds: what an operator says of ints, symbols and arrays, figure by figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from random import Random
from typing import Any

from graphacct.decisions import recording
from graphacct.graph.graph import Node, Value
from graphacct.operators.cost import Work
from graphacct.operators.operator import Operator
from graphacct.tensors import FLOATING, TensorSpec
from graphacct.testing.needs import needed
from graphacct.testing.numbers import Numbers
from graphacct.testing.rows import COSTS, Operands, Sized
from graphacct.training.gradients import gradient_work

SMALL, LARGE = 40, 2**24
"""The largest size in a sweep of floats, whose products must stay exact, and of Python ints."""
WORK = ("matmul_flops", "vector_flops", "transcendentals")


def figures(operator: Operator, specs: Sequence[TensorSpec], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all that an operator says of operands: its cost, its outputs' dimensions, the work of each gradient."""
    application = operator.apply(specs, attributes)
    found = {name: getattr(application.cost, name) for name in COSTS}
    for place, output in enumerate(application.outputs):
        found |= {f"dimension {axis} of output {place}": dim for axis, dim in enumerate(output.shape)}
    for operand, work in gradients(operator, specs, attributes):
        found |= {f"{name} of the gradient of {operand}": getattr(work, name) for name in WORK}
    return found


def gradients(
    operator: Operator, specs: Sequence[TensorSpec], attributes: Mapping[str, Any]
) -> Iterator[tuple[str, Work]]:
    """Yields the gradients that an operator states, one floating-point operand at a time."""
    for place in floating(specs):
        work = gradient_of(operator, specs, attributes, place)
        if work is not None:
            yield operand(operator, place), work


def floating(specs: Sequence[TensorSpec]) -> list[int]:
    """Returns the places of the operands that can have a gradient."""
    return [place for place, spec in enumerate(specs) if spec.dtype in FLOATING]


def operand(operator: Operator, place: int) -> str:
    """Returns what the signature calls the operand at a place."""
    terms = operator.signature.inputs
    return terms[min(place, len(terms) - 1)].name


def gradient_of(
    operator: Operator, specs: Sequence[TensorSpec], attributes: Mapping[str, Any], place: int
) -> Work | None:
    """Returns the work of one operand's gradient, None if the operator does not state it."""
    values = [Value(f"v{index}", spec) for index, spec in enumerate(specs)]
    outputs = [Value(f"out{index}", spec) for index, spec in enumerate(operator.apply(specs, attributes).outputs)]
    node = Node("n", operator.name, tuple(values), tuple(outputs), attributes)
    found = gradient_work(operator, node, [place == index for index in range(len(values))])
    return None if found is None else found.input_grad


def points(row: Sized, most: int, count: int = 3) -> list[dict[str, int]]:
    """Returns sizes to try a row at, the same ones every time. None is 1 and no two are equal: what an operator does
    with symbols is the general case, and a dimension of 1 can make a transposed tensor contiguous."""
    random = Random(count * most)
    if row.free:
        return [dict(zip(row.sizes, random.sample(range(2, most), len(row.sizes)), strict=True)) for _ in range(count)]
    largest = max((1, *row.sizes.values()))
    factors = [random.randint(1, max(1, most // largest)) for _ in range(count)]
    return [{name: size * factor for name, size in row.sizes.items()} for factor in factors]


Difference = tuple[str, Any, Any, Mapping[str, int]]
"""A figure's name, what the ints give, what the others give, and the sizes."""


Figures = Callable[..., dict[str, Any]]
"""A function of sizes, which returns figures by name."""


def figures_of(operator: Operator, make: Callable[..., Operands]) -> Figures:
    """Returns all that an operator says of a row's operands, as a function of the row's sizes. Figures of ints are
    remembered for the next world that is held against them."""

    def found(**sizes: Any) -> dict[str, Any]:
        return figures(operator, *make(**sizes))

    exact = lru_cache(maxsize=8)(found)
    return lambda **sizes: (exact if all(type(size) is int for size in sizes.values()) else found)(**sizes)


def holding(figures: Figures, at: Sequence[Mapping[str, int]]) -> list[Mapping[str, int]]:
    """Returns the points at which what the figures assume of symbols holds: what is true of large sizes alone is
    assumed of symbols."""
    sympy = needed("sympy")

    symbols = {name: sympy.Symbol(name, integer=True, positive=True) for name in at[0]}
    with recording() as conditions:
        figures(**symbols)
    return [
        sizes
        for sizes in at
        if all(c.subs({symbols[name]: size for name, size in sizes.items()}) == True for c in conditions.found)  # noqa: E712
    ]


def symbols_against_ints(figures: Figures, at: Sequence[Mapping[str, int]]) -> Iterator[Difference]:
    """Yields where the figures with symbols, evaluated at some sizes, differ from the ints; and an int that is none."""
    symbols, formulas = _symbolic(figures, tuple(at[0]))
    for sizes in at:
        exact = figures(**sizes)
        numbers = Numbers({symbols[name]: sizes[name] for name in at[0]})
        if [*exact] != [*formulas]:
            yield "the figures", [*exact], [*formulas], sizes
            continue
        for name, formula in formulas.items():
            value = numbers.of(formula)
            if type(exact[name]) is not int or exact[name] != value:
                yield name, exact[name], value, sizes


@cache
def _symbolic(figures: Figures, sizes: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns a symbol for each size, and the figures as formulas of them."""
    sympy = needed("sympy")
    symbols = {name: sympy.Symbol(name, integer=True, positive=True) for name in sizes}
    return symbols, figures(**symbols)


def arrays_against_ints(figures: Figures, at: Sequence[Mapping[str, int]], dtype: type) -> Iterator[Difference]:
    """Yields where a sweep over some sizes, as an array of a dtype (float, or object for Python ints), differs from
    the ints."""
    numpy = needed("numpy")

    arrays: dict[str, Any] = {name: numpy.array([sizes[name] for sizes in at], dtype) for name in at[0]}
    swept = {
        name: numpy.broadcast_to(numpy.asarray(value, object if dtype is object else None), len(at))
        for name, value in figures(**arrays).items()
    }
    for index, sizes in enumerate(at):
        exact = figures(**sizes)
        if [*exact] != [*swept]:
            yield "the figures", [*exact], [*swept], sizes
            continue
        for name, value in exact.items():
            theirs = swept[name][index]
            if theirs != value or (dtype is object and type(theirs) is not int):
                yield name, value, theirs, sizes
