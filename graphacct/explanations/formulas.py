"""The formula of a number in symbols: the operator's own formula, computed with sizes that record what becomes of them.

No formula is written twice, so the formula shown cannot differ from the one that counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.dims import Dim, is_traced, prod, same
from graphacct.errors import GraphacctError
from graphacct.explanations.branches import Branches
from graphacct.formulas.conditions import condition_text, told
from graphacct.formulas.guards import Guard
from graphacct.formulas.text import text
from graphacct.formulas.trace import Trace
from graphacct.formulas.traced_size import value_of
from graphacct.operators.application import Application
from graphacct.operators.cost import Cost, Work, moved
from graphacct.operators.operator import Operator
from graphacct.operators.signature import Term
from graphacct.tensors import TensorSpec

if TYPE_CHECKING:
    from graphacct.costs.annotate import NodeCost
    from graphacct.reports.report import Report
    from graphacct.training.gradients import GradientPart

WORK = ("matmul_flops", "vector_flops")
PER_NODE = ("matmul_flops", "vector_flops", "transcendentals", "read_bytes", "write_bytes", "activation_bytes")
NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)  # an exponent, ², is no part of it
FAILURES = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, GraphacctError)
"""What the formula of a stranger may raise when its operands have other ranks than it was written for."""


def formulas(operator: Operator, record: NodeCost, names: Sequence[str] = PER_NODE) -> dict[str, tuple[str, str]]:
    """Returns formula and substituted formula of per-node quantities of an operator's application, all unless named.

    None for sizes that are a caller's own symbols or arrays: the figures are formulas, or have none.
    """
    if record.cost is None:
        return {}
    found = figures_of(operator, record, names, Sizes.cost, exact_cost(operator, record))
    return {name: shown for name, _, _, shown in found}


def ratio_formula(report: Report, name: str, figures: Mapping[str, Dim]) -> tuple[str, str]:
    """Returns formula and substituted formula of a ratio, in the names of the quantities.

    Empty if it branches on figures that are no ints, or that divide by 0.
    """
    ints = {each: value for each, value in figures.items() if type(value) is int}
    for values in (ints, {}):  # the formula of what divides by 0 is that of other figures
        exact = len(values) == len(figures)
        trace = Trace()
        try:
            found = report.figure(name, {each: trace.size(each, values.get(each, 1)) for each in figures})
        except (TypeError, GraphacctError):
            return "", ""
        if is_traced(found) and (exact or not trace.decisions):
            return _shown(trace, told(trace, trace.decisions), text(found), figures)
    return "", ""


def figures_of(
    operator: Operator, record: NodeCost, names: Sequence[str], evaluated: Callable[[Sizes], Any], exact: Any
) -> Iterator[tuple[str, Any, Sizes, tuple[str, str]]]:
    """Yields each figure with its formula, its sizes, and how it is shown.

    A formula is code, and runs here on traced sizes: they have the node's sizes as values, so that it does with them
    what it did when it was counted, and record it (`formulas/trace.py`).

        matmul of x (2, 3, 4, 8) and y (2, 3, 8, 5), with `...` as one size:  2 · batch · k · m · n
        at the node's sizes, which is the exact figure:                       2 · 6 · 8 · 4 · 5 = 1,920

    With the dimensions of `...` as one size its operands have another rank, and a formula that asks for that may fail,
    or say another figure: then each dimension is a size of its own. Where it compares sizes, it holds for the sizes
    that compare alike: `(for h = g)`.
    """
    found: set[str] = set()
    for collapse in (True, False):
        try:
            sizes = Sizes(operator, record, collapse)
            figures = evaluated(sizes)
            branches = Branches(sizes.trace, partial(_again, operator, record, collapse, evaluated))
            guards = told(sizes.trace, sizes.trace.decisions)
            for name in names:
                figure = getattr(figures, name)
                if name not in found and value_of(figure) == getattr(exact, name):
                    as_text = partial(text, collected=not name.endswith("_bytes"))  # one term for each operand
                    formula = as_text(figure)
                    limits = partial(branches.limits, name=name, written=as_text, formula=formula)
                    shown = _shown(sizes.trace, filter(limits, guards), formula, sizes.values)
                    found.add(name)
                    yield name, figure, sizes, shown
        except FAILURES:
            continue
        if len(found) == len(names):
            break


def exact_cost(operator: Operator, record: NodeCost) -> Cost:
    """Returns what one pass through the node costs, before any convention."""
    return _application(operator, record).cost


def _application(operator: Operator, record: NodeCost) -> Application:
    """Returns the node's operator applied; the node's own if a part of attention's pairs is counted."""
    known = record.node.application
    if known is not None and known.share is not None:
        return known
    return operator.apply([operand.spec for operand in record.node.inputs], record.node.attributes)


class Sizes:
    """An operator's application with a traced size for every dimension, and the value of each.

    With `collapse`, the dimensions of `...` are one size, `batch`, their product; otherwise each is one. Sizes that are
    `changed` have another value than the node's.
    """

    def __init__(
        self, operator: Operator, record: NodeCost, collapse: bool, changed: Mapping[str, int] | None = None
    ) -> None:
        self.operator, self.attributes = operator, record.node.attributes
        specs = [operand.spec for operand in record.node.inputs]
        self.application = _application(operator, record)
        self.trace = Trace()
        self.changed = changed or {}
        self.values: dict[str, Dim] = {}
        self.batch = (self._one("batch", prod(self.application.batch)),)
        self.collapse = collapse
        self.dims: dict[str, Any] = {}
        for name, size in self.application.dims.items():
            self.dims[name] = self._all(name, size) if isinstance(size, tuple) else self._one(name, size)
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
        """Returns the cost."""
        work = self._counted(self.operator.work(self.dims, self.batch, self.specs, self.outputs, self.attributes))
        found = moved(work, self.specs, self.outputs, self.application.view)
        return attrs.evolve(found, activation_bytes=0) if self.application.in_place else found

    def gradient(self, part: GradientPart) -> Work:
        """Returns the work of one part of the backward pass."""
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
            known = self.dims.get(term.ellipsis)
            fits = known is None or len(known) == len(lead)  # a loss that is one number has no dimension of its output
            middle = (known or self._all(term.ellipsis, lead)) if fits else self._all(label, lead)
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
        size = self.changed.get(name, size)
        self.values[name] = size
        if type(size) is not int:
            raise TypeError(f"{name} is {size}: a size of a trace has one value")
        return self.trace.size(name, size)

    def _all(self, name: str, sizes: tuple[Dim, ...]) -> tuple[Any, ...]:
        return tuple(self._one(f"{name}_{index}", size) for index, size in enumerate(sizes))


def _same_product(a: tuple[Dim, ...], b: tuple[Dim, ...]) -> bool:
    return bool(prod(a) == prod(b))


def _again(
    operator: Operator,
    record: NodeCost,
    collapse: bool,
    evaluated: Callable[[Sizes], Any],
    changed: Mapping[str, int],
) -> Any:
    return evaluated(Sizes(operator, record, collapse, changed))


def _shown(trace: Trace, guards: Iterable[Guard], formula: str, values: Mapping[str, Dim]) -> tuple[str, str]:
    """Returns a formula with the sizes for which it holds, if it does not for all, and the formula with values put
    in."""
    limits = ", ".join(condition_text(trace, guard) for guard in guards)
    branch = f" (for {limits})" if limits else ""
    return formula + branch, NAME.sub(lambda name: number(values[name[0]]) if name[0] in values else name[0], formula)


def number(value: Dim | float | None) -> str:
    """Returns a size or figure as explanations print it: an int with commas, a fraction with six digits, a symbol
    unchanged, and words for a ratio that divides by zero."""
    if value is None:
        return "none (it divides by zero)"
    if isinstance(value, float) and abs(value) < 100_000:
        return f"{value:.6g}"
    return f"{value:,}" if type(value) is int else str(value)
