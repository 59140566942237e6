"""Where the figures of a page's nodes come from: what `graphacct explain` says of each, for any sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from typing import Any

import attrs

from graphacct.costs.annotate import NodeCost
from graphacct.dims import is_traced
from graphacct.explanations.formulas import FAILURES, PER_NODE
from graphacct.explanations.named import NamedFormula, named_formulas, sizes_of
from graphacct.explanations.sources import sources
from graphacct.formulas.traced_size import TracedSize
from graphacct.graph.graph import Parameter
from graphacct.hooks.manager import Plugins
from graphacct.operators.operator import Operator
from graphacct.render.page.figures import Figures

Json = dict[str, Any]


@attrs.frozen(eq=False)
class Explainer:
    """Explains nodes, given in each branch; what nodes share is there once.

    Attributes:
        plugins: Those in use.
        figures: The page's table of formulas.
        operators: What is said of each operator, by its name.
        formulas: The formulas of nodes, and the size behind each of their names; alike nodes have the same ones.
    """

    plugins: Plugins
    figures: Figures
    operators: dict[str, Json] = attrs.field(factory=dict, init=False)
    formulas: list[Json] = attrs.field(factory=list, init=False)
    _formulas: dict[Any, Mapping[str, NamedFormula]] = attrs.field(factory=dict, init=False)
    _known: dict[Any, int] = attrs.field(factory=dict, init=False)

    def of(self, plain: NodeCost, records: Sequence[NodeCost]) -> Json:
        """Returns what is said of a node, whose record at the model's own sizes is `plain`: operands, names, and the
        formula of each quantity with the branches in which it is proven to give the figure."""
        node = plain.node
        operator = self.plugins.operators.get(node.operator)
        self._note(node.operator, operator)
        found: Json = {
            "operands": [
                self._operand(operator, index, [each.node.inputs[index] for each in records])
                for index in range(len(node.inputs))
            ],
            "gives": [
                self._tensor("", [each.node.outputs[index] for each in records]) for index in range(len(node.outputs))
            ],
            "owned": [
                [parameter.name.rpartition(".")[2], index]
                for index, parameter in enumerate(node.inputs)
                if isinstance(parameter, Parameter) and any(parameter is each for each in plain.owned)
            ],
        }
        found = {key: value for key, value in found.items() if value}
        if operator is not None and plain.cost is not None:
            found["explained"] = self._named(operator, plain, records)
        return found

    def _note(self, name: str, operator: Operator | None) -> None:
        if name not in self.operators:
            doc = (
                "No operator of this name is registered: the node is in no total." if operator is None else operator.doc
            )
            forward, backward = sources(doc)
            found = {"source": forward, "gradient": backward, "from": self.plugins.origin("operators", name)}
            found["signature"] = operator.signature.text if operator is not None else ""
            self.operators[name] = {key: value for key, value in found.items() if value}

    def _operand(self, operator: Operator | None, index: int, operands: Sequence[Any]) -> list[Any]:
        terms = operator.signature.inputs if operator is not None else ()
        label = terms[min(index, len(terms) - 1)].name if terms else ""
        return self._tensor(label, operands)

    def _tensor(self, label: str, operands: Sequence[Any]) -> list[Any]:
        """Returns label, name, dtype, dimensions, and how it is stored if that is another thing than the dtype."""
        first = operands[0]
        specs = [operand.spec for operand in operands]
        shape = [self.figures.add(dims) for dims in zip(*(spec.shape for spec in specs), strict=True)]
        stored = getattr(first, "stored", None)
        return [label, first.name, first.spec.dtype, shape, *([stored.format.name] if stored else [])]

    def _named(self, operator: Operator, plain: NodeCost, records: Sequence[NodeCost]) -> int:
        """Returns the place of a node's formulas."""
        alike = _alike(plain, records)
        if alike not in self._known:
            found = self._found(operator, plain, records)
            if found not in self.formulas:
                self.formulas.append(found)
            self._known[alike] = self.formulas.index(found)
        return self._known[alike]

    def _found(self, operator: Operator, plain: NodeCost, records: Sequence[NodeCost]) -> Json:
        """Returns the formulas of a node's quantities with their branches, and the size behind each name."""
        node = plain.node
        key = (operator.name, str([item.spec for item in node.inputs]), str(node.attributes))
        if key not in self._formulas:
            try:
                self._formulas[key] = named_formulas(operator, plain, PER_NODE)
            except FAILURES:
                self._formulas[key] = {}
        formulas: dict[str, Any] = {}
        names: dict[str, int] = {}
        sizes = {
            collapse: [sizes_behind(operator, record, collapse) for record in records] for collapse in (True, False)
        }
        for quantity, formula in self._formulas[key].items():
            given = sizes[formula.collapse]
            holds = [
                place
                for place, (record, each) in enumerate(zip(records, given, strict=True))
                if is_figure(formula, each, getattr(record.cost, quantity))
            ]
            own = formula.names()
            if holds and all(own <= each.keys() for each in given):
                formulas[quantity] = [formula.text] if len(holds) == len(records) else [formula.text, holds]
                names |= {name: self.figures.add([each[name] for each in given]) for name in sorted(own)}
        return {"formulas": formulas, "names": names}


def _alike(plain: NodeCost, records: Sequence[NodeCost]) -> Any:
    """Returns a key of what the formulas of a node come from: nodes that have the same one have the same formulas. A
    node of whose pairs a part is counted is like no other."""
    application = plain.node.application
    if application is not None and application.share is not None:
        return plain.node.name
    return (plain.node.operator, *(_sides(record) for record in (plain, *records)))


def _sides(record: NodeCost) -> Any:
    specs = tuple((item.spec.dtype, *map(key_of, item.spec.shape)) for item in record.node.inputs)
    figures = tuple(key_of(getattr(record.cost, quantity)) for quantity in PER_NODE)
    return specs, key_of(record.node.attributes), figures


def sizes_behind(operator: Operator, record: NodeCost, collapse: bool) -> Mapping[str, Any]:
    """Returns the sizes behind the names of a node's formulas; none where they cannot be named.

    A branch is not limited by what is decided here: formulas are compared with its figures afterwards.
    """
    trace = next((dim.trace for item in record.node.inputs for dim in item.spec.shape if is_traced(dim)), None)
    with ExitStack() as around:
        if trace is not None:
            around.enter_context(trace.forgetting())
        try:
            return sizes_of(operator, record, collapse)
        except FAILURES:
            return {}


def is_figure(formula: NamedFormula, sizes: Mapping[str, Any], figure: Any) -> bool:
    """Returns whether a formula with a branch's sizes is the figure that the branch has, for all sizes of it."""
    if not formula.names() <= sizes.keys():
        return False
    try:
        return bool(key_of(formula.at(sizes)) == key_of(figure))
    except FAILURES:
        return False


def key_of(value: Any) -> Any:
    """Returns a figure, or what holds some, as a key: formulas by what they say."""
    if isinstance(value, TracedSize):
        return value.key
    if isinstance(value, Mapping):
        return tuple((name, key_of(each)) for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(key_of, value))
    return value if type(value) in (int, str, bool, Fraction) else repr(value)
