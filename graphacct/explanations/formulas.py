"""The formula of a number in symbols: the operator's own formula, evaluated on symbols and checked against the number.

No formula is written twice, so the formula shown cannot differ from the one that counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.decisions import Conditions, condition_text, recording_in
from graphacct.dims import Dim, prod, same
from graphacct.errors import GraphacctError
from graphacct.operators.cost import Cost, Work, full_cost
from graphacct.operators.operator import Application, Operator
from graphacct.operators.signature import Term
from graphacct.tensors import TensorSpec

if TYPE_CHECKING:
    from graphacct.costs.annotate import NodeCost
    from graphacct.reports.report import Report
    from graphacct.training.gradients import GradientPart

WORK = ("matmul_flops", "vector_flops")
PER_NODE = ("matmul_flops", "vector_flops", "transcendentals", "read_bytes", "write_bytes", "activation_bytes")


def formulas(operator: Operator, record: NodeCost) -> dict[str, tuple[str, str]]:
    """Returns formula and substituted formula of each per-node quantity of an operator's application.

    A quantity without a closed form, whose formula branches on sizes, is left out.
    """
    if record.cost is None:
        return {}
    return _closed(operator, record, PER_NODE, _Symbols.cost, exact_cost(operator, record))


def gradient_formulas(operator: Operator, record: NodeCost, part: GradientPart) -> dict[str, tuple[str, str]]:
    """Returns formula and substituted formula of the `matmul_flops` and `vector_flops` of one part of the backward
    pass."""
    return _closed(operator, record, WORK, lambda symbols: symbols.gradient(part), part.work)


def ratio_formula(report: Report, name: str, figures: Mapping[str, Dim]) -> tuple[str, str]:
    """Returns formula and substituted formula of a ratio, in the names of the quantities; empty if it branches on
    values."""
    try:
        text = _pretty(report.figure(name, {each: _symbol(each) for each in figures}))
    except (TypeError, GraphacctError):
        return "", ""
    return text, _substitute(text, figures)


def _closed(
    operator: Operator, record: NodeCost, names: Sequence[str], evaluated: Callable[[_Symbols], Any], exact: Any
) -> dict[str, tuple[str, str]]:
    """Returns formula and substituted formula of each figure that has a closed form.

    Why several readings: a formula is code that was written for numbers. Given symbols it may fail, since it compares
    sizes or asks for a rank, or take another branch than it took with the numbers. So nothing is believed: the formula
    runs on symbols, the result is evaluated at the real sizes, and it is shown only if that is the exact figure.

        matmul of x (2, 3, 4, 8) and y (2, 3, 8, 5), with `...` as one symbol:  2 · batch · k · m · n
        at the real sizes, which is the exact figure:                           2 · 6 · 8 · 4 · 5 = 1,920

    Where an operator asks whether two sizes are equal (`equal`), the real sizes decide, and the formula says for which
    sizes it holds: `(for h == g)`. One that compares ints alone (a convolution with as many groups as channels) needs a
    reading in which the two are one symbol. A figure that no reading gives is left out: it has no closed form.
    """
    found: dict[str, tuple[str, str]] = {}
    for collapse, alike in _readings(operator, record):
        try:
            symbols = _Symbols(operator, record, collapse, alike)
            branches = Conditions(values={_symbol(name): size for name, size in symbols.values.items()})
            with recording_in(branches):
                figures = evaluated(symbols)
            for name in names:
                expression = getattr(figures, name)
                if name not in found and _evaluate(expression, symbols.values) == getattr(exact, name):
                    text = _pretty(expression)
                    found[name] = (text + _branch(branches), _substitute(text, symbols.values))
        except (TypeError, LookupError, GraphacctError):  # a formula that looks at sizes or ranks has no closed form
            continue
        if len(found) == len(names):
            break
    return found


def _readings(operator: Operator, record: NodeCost) -> Iterator[tuple[bool, tuple[str, str]]]:
    """Yields the ways to replace sizes by symbols, the plainest first.

    First the dimensions of `...` are one symbol, then one each. Then two dimensions of one size share a symbol, for
    formulas that ask whether they are equal.
    """
    yield True, ("", "")
    yield False, ("", "")
    specs = [operand.spec for operand in record.node.inputs]
    dims = operator.apply(specs, record.node.attributes).dims
    sizes = [(name, size) for name, size in dims.items() if type(size) is int]
    for (first, size), (second, other) in combinations(sizes, 2):
        if size == other:
            yield True, (first, second)


def exact_cost(operator: Operator, record: NodeCost) -> Cost:
    """Returns what one pass through the node costs, before any convention."""
    return _application(operator, record).cost


def _application(operator: Operator, record: NodeCost) -> Application:
    """Returns the node's operator applied; the node's own if a part of attention's pairs is counted."""
    known = record.node.application
    if known is not None and known.share is not None:
        return known
    return operator.apply([operand.spec for operand in record.node.inputs], record.node.attributes)


class _Symbols:
    """An operator's application with a symbol for every dimension, and the value of each symbol.

    With `collapse`, the dimensions of `...` are one symbol, `batch`, their product; otherwise each has its own. The two
    dimensions that are `alike` have the first one's symbol.
    """

    def __init__(self, operator: Operator, record: NodeCost, collapse: bool, alike: tuple[str, str] = ("", "")) -> None:
        self.operator, self.attributes = operator, record.node.attributes
        specs = [operand.spec for operand in record.node.inputs]
        self.application = _application(operator, record)
        self.values: dict[str, Dim] = {}
        self.collapse = collapse
        self.dims: dict[str, Any] = {}
        for name, size in self.application.dims.items():
            self.dims[name] = self._all(name, size) if isinstance(size, tuple) else self._one(name, size)
        if alike[1]:
            self.dims[alike[1]] = self.dims[alike[0]]
        self.batch = (self._one("batch", prod(self.application.batch)),)
        signature = operator.signature
        inputs = [signature.inputs[min(index, len(signature.inputs) - 1)] for index in range(len(specs))]
        count = len(signature.outputs)
        outputs = [signature.outputs[min(index, count - 1)] for index in range(len(self.application.outputs))]
        self.specs = [self._spec(term, spec, i) for i, (term, spec) in enumerate(zip(inputs, specs, strict=True))]
        self.outputs = [
            self._spec(term, spec, i)
            for i, (term, spec) in enumerate(zip(outputs, self.application.outputs, strict=True))
        ]

    def cost(self) -> Cost:
        """Returns the cost in symbols."""
        work = self._counted(self.operator.work(self.dims, self.batch, self.specs, self.outputs, self.attributes))
        return full_cost(work, self.specs, self.outputs, self.application.view)

    def gradient(self, part: GradientPart) -> Work:
        """Returns one part of the backward pass in symbols."""
        work = Work()
        if part.stated is not None:
            sizes = (self.dims, self.batch, self.specs, self.outputs)
            work = self._counted(self.operator.call(part.stated, *sizes, self.attributes, part.asked), True)
        if part.contracted:
            work = work.plus(self._counted(Work(self.operator.contraction(self.dims, self.batch))))
        return self.operator.in_real_numbers(work, self.specs)

    def _counted(self, work: Work, gradient: bool = False) -> Work:
        """Returns work in proportion to the pairs of positions that are counted: times `pairs` / `all_pairs`."""
        share = self.application.share
        if share is None or share.stated:
            return work
        part = self._one("pairs", share.pairs) / self._one("all_pairs", share.of)
        if gradient and not same(self.application.cost.matmul_flops, 0):
            return attrs.evolve(work, matmul_flops=work.matmul_flops * part)
        figures = {name: getattr(work, name) * part for name in (*WORK, "transcendentals")}
        return attrs.evolve(work, **figures)

    def _spec(self, term: Term, spec: TensorSpec, index: int) -> TensorSpec:
        front, back = len(term.front), len(term.back)
        lead = spec.shape[front : len(spec.shape) - back]
        label = f"{term.name}{index}" if term.variadic else term.name
        if isinstance(term.ellipsis, str):
            middle = self.dims.get(term.ellipsis) or self._all(term.ellipsis, lead)
        elif term.ellipsis and self.collapse and _same_product(lead, self.application.batch):
            middle = self.batch
        else:
            middle = self._all(label, lead)
        first = [self._named(name, size) for name, size in zip(term.front, spec.shape, strict=False)]
        last = [
            self._named(name, size) for name, size in zip(term.back, spec.shape[len(spec.shape) - back :], strict=True)
        ]
        return TensorSpec((*first, *middle, *last), spec.dtype)

    def _named(self, name: str, size: Dim) -> Any:
        return self.dims[name] if name in self.dims else self._one(name, size)

    def _one(self, name: str, size: Dim) -> Any:
        self.values[name] = size
        return _symbol(name)

    def _all(self, name: str, sizes: tuple[Dim, ...]) -> tuple[Any, ...]:
        return tuple(self._one(f"{name}_{index}", size) for index, size in enumerate(sizes))


def _same_product(a: tuple[Dim, ...], b: tuple[Dim, ...]) -> bool:
    return bool(prod(a) == prod(b))


def _symbol(name: str) -> Any:
    import sympy

    return sympy.Symbol(name, integer=True, positive=True)


def _evaluate(expression: Any, values: Mapping[str, Dim]) -> Any:
    if not hasattr(expression, "free_symbols"):
        return expression
    return int(expression.subs({symbol: values[symbol.name] for symbol in expression.free_symbols}))


def _branch(conditions: Conditions) -> str:
    """Returns for which sizes a formula holds that branches on them: those of the branch that the real sizes take."""
    return f" (for {', '.join(map(condition_text, conditions.found))})" if conditions.found else ""


def _pretty(expression: Any) -> str:
    return str(expression).replace("**", "^").replace("*", " · ")


def _substitute(text: str, values: Mapping[str, Dim]) -> str:
    text = re.sub(r"\b\d{4,}\b", lambda match: f"{int(match[0]):,}", text)
    return re.sub(r"[A-Za-z_]\w*", lambda match: number(values[match[0]]) if match[0] in values else match[0], text)


def number(value: Dim | float | None) -> str:
    """Returns a size or figure as explanations print it: an int with commas, a fraction with six digits, a symbol
    unchanged, and words for a ratio that divides by zero."""
    if value is None:
        return "none (it divides by zero)"
    if isinstance(value, float) and abs(value) < 100_000:
        return f"{value:.6g}"
    return f"{value:,}" if type(value) is int else str(value)
