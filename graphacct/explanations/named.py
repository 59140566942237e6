"""The formulas of a node for other sizes: in the names of its operator's signature, with the size behind each name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.dims import Dim
from graphacct.explanations.formulas import PER_NODE, WORK, Sizes, exact_cost, figures_of
from graphacct.formulas.conditions import names_in
from graphacct.formulas.evaluate import Evaluation
from graphacct.formulas.trace import Trace
from graphacct.operators.operator import Operator

if TYPE_CHECKING:
    from graphacct.costs.annotate import NodeCost
    from graphacct.training.gradients import GradientPart


@attrs.frozen(eq=False)
class NamedFormula:
    """The formula of a quantity of one operator's application.

    Attributes:
        text: The formula in the names of the operator's signature, with the sizes for which it holds.
        substituted: The formula with the values put in.
        collapse: Whether the dimensions of `...` are one size in it.
    """

    text: str
    substituted: str
    collapse: bool
    _figure: Any
    _trace: Trace

    def names(self) -> Set[str]:
        """Returns the names in it."""
        terms = getattr(self._figure, "terms", None)
        return names_in(self._trace, terms) if terms else set()

    def at(self, sizes: Mapping[str, Any]) -> Any:
        """Returns what it is at other sizes of its names: a formula if they are traced."""
        return Evaluation(self._trace, sizes).of(self._figure)


def named_formulas(operator: Operator, record: NodeCost, names: Sequence[str] = PER_NODE) -> dict[str, NamedFormula]:
    """Returns the formula of per-node quantities of an operator's application, for other sizes of its names."""
    if record.cost is None:
        return {}
    return _named(figures_of(operator, record, names, Sizes.cost, exact_cost(operator, record)))


def named_gradients(operator: Operator, record: NodeCost, part: GradientPart) -> dict[str, NamedFormula]:
    """Returns the formulas of the `matmul_flops` and `vector_flops` of one part of the backward pass."""
    return _named(figures_of(operator, record, WORK, lambda sizes: sizes.gradient(part), part.work))


def _named(found: Iterable[tuple[str, Any, Sizes, tuple[str, str]]]) -> dict[str, NamedFormula]:
    return {name: NamedFormula(*shown, sizes.collapse, figure, sizes.trace) for name, figure, sizes, shown in found}


def sizes_of(operator: Operator, record: NodeCost, collapse: bool) -> Mapping[str, Dim]:
    """Returns the sizes of an application by the names that formulas call them, whatever they are: traced sizes too.

    Raises one of FAILURES for operands that cannot be named so.
    """
    found = _Named(operator, record, collapse)
    share = found.application.share
    if share is not None and not share.stated:
        found.values |= {"pairs": share.pairs, "all_pairs": share.of}
    return found.values


class _Named(Sizes):
    """The names of an application's sizes alone."""

    def _one(self, name: str, size: Dim) -> Any:
        self.values[name] = size
        return size
