"""What a model adds up to: the rows of contracts that are about whole models, and what all of these check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import attrs

from graphacct.dims import is_symbol
from graphacct.graph.graph import Block, Graph
from graphacct.hooks.manager import Plugins
from graphacct.keywords import ModelKeywords
from graphacct.models.find import find_model
from graphacct.models.read_choice import ReadChoice
from graphacct.phases import TRAIN
from graphacct.readers import graph_json
from graphacct.reports.report import Report
from graphacct.testing.contract import Contract
from graphacct.testing.needs import needed
from graphacct.testing.numbers import Numbers
from graphacct.verbs.account import account
from graphacct.verbs.build import build

Found = TypeVar("Found")
FEW = 3
LARGE = (1000, 2**20)
"""Sizes beyond what the conditions of formulas ask for, such as a window of attention."""


@attrs.frozen(init=False)
class Totals:
    """A model, and figures of its report: `Totals("mlp-small", {"seq_len": 16}, params=8_400_896)`.

    Attributes:
        model: What `graphacct.account` takes: a name, a Graph, an object that a reader knows.
        options: The options of `graphacct.account`.
        figures: Totals of the report by the quantity's name, each worked out by hand or measured elsewhere.
    """

    model: Any
    options: Mapping[str, Any]
    figures: Mapping[str, Any]

    def __init__(self, model: Any, options: Mapping[str, Any] | None = None, **figures: Any) -> None:
        self.__attrs_init__(model, options or {}, figures)

    def __str__(self) -> str:
        name = self.model if isinstance(self.model, str) else getattr(self.model, "name", type(self.model).__name__)
        return ", ".join([str(name), *(f"{key}={value!r}" for key, value in self.options.items())])


class ModelContract(Contract):
    """A contract that is checked on whole models.

    Attributes:
        rows: The models, with what they add up to; the other tests are run on the same models. Without figures where
            these are checked elsewhere, which `costs_in` names.
        costs_in: Where the totals are checked, if the rows state none.
    """

    rows: ClassVar[Sequence[Totals]] = ()
    costs_in: ClassVar[str] = ""
    _known: ClassVar[dict[str, Any]]

    def test_rows_state_the_totals(self) -> None:
        """Each row's figures are the report's."""
        if not self.rows:
            self.fail("its contract has no rows", 'Name a small model: rows = (Totals("NAME", {…}, flops=…),).')
        if not self.costs_in and not any(row.figures for row in self.rows):
            self.fail("no row states a figure", 'Work one out by hand: Totals("NAME", {…}, flops=…).')
        for row in self.rows:
            total = self.totals(row)
            for name, figure in row.figures.items():
                if name not in total:
                    self.fail(f"the report of {row} has no {name}", f"It has: {', '.join(total)}.")
                if total[name] != figure:
                    self.fail(
                        f"{name} of {row} is {total[name]}, and the row says {figure}",
                        "One of the two is wrong: work it out by hand, and mend the plugin or the row.",
                    )

    def options(self, row: Totals) -> dict[str, Any]:
        """Returns the options of the row's report: for a convention's contract, the convention among them."""
        return dict(row.options)

    def account(self, row: Totals, **changes: Any) -> Report:
        """Returns the row's report, with some options changed."""
        return account(row.model, plugins=self.in_use(), **{**self.options(row), **changes})

    def totals(self, row: Totals, **changes: Any) -> Mapping[str, Any]:
        """Returns the totals of the row's report, with some options changed: computed once for all tests."""
        return self.report(row).total if not changes else self._totals(row, changes)

    def report(self, row: Totals, **changes: Any) -> Report:
        """Returns the row's report, with some options changed: computed once for all tests."""
        return self._once(f"{id(row)} report {sorted(changes.items())}", lambda: self.account(row, **changes))

    def _totals(self, row: Totals, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._once(f"{id(row)} {sorted(changes.items())}", lambda: self.account(row, **changes).total)

    def totals_of_graph(self, row: Totals, graph: Graph) -> Mapping[str, Any]:
        """Returns the totals of the row's finished graph, as it was built: computed once for all tests."""
        return self._once(f"{id(row)} as a graph", lambda: self.of_graph(row, graph).total)

    @classmethod
    def _once(cls, what: str, compute: Callable[[], Found]) -> Found:
        if "_known" not in vars(cls):
            cls._known = {}
        if what not in cls._known:
            cls._known[what] = compute()
        found: Found = cls._known[what]
        return found

    def graph(self, row: Totals, **changes: Any) -> Graph:
        """Returns the row's graph."""
        options = {**self.options(row), **changes}
        kept = {key: value for key, value in options.items() if key in MODEL}
        return build(row.model, plugins=self.in_use(), **kept)

    def of_graph(self, row: Totals, graph: Graph) -> Report:
        """Returns the report of a finished graph, with the row's options that are not about building."""
        kept = {key: value for key, value in self.options(row).items() if key not in MODEL}
        return account(graph, plugins=self.in_use(), **kept)

    def is_finished(self, row: Totals) -> bool:
        """Returns whether the model is a graph or an object whose reader takes no batch: it has the sizes that it
        has."""
        found = find_model(row.model, self.in_use(), row.options.get("set") or {})
        return isinstance(found, Graph) or (isinstance(found, ReadChoice) and "batch" not in found.takes)

    def check_costed(self, row: Totals, report: Report) -> None:
        """Fails unless every node of the report has a cost."""
        if report.annotated.uncosted:
            self.fail(
                f"in {row}, {report.coverage}: {report.annotated.uncosted[0].name!r} is not",
                "Register the operator of that node: docs/writing-a-plugin.md.",
            )

    def check_folded(self, row: Totals, graph: Graph | None = None, totals: Mapping[str, Any] | None = None) -> None:
        """Fails unless a model with blocks and the same model written out have the same totals; `graph` is what stands
        for the row's, whose totals are counted unless they are given."""
        if graph is None:
            graph = self.graph(row)
            folded = self.totals_of_graph(row, graph)
        else:
            folded = self.of_graph(row, graph).total if totals is None else totals
        flat = self.of_graph(row, graph.unroll(self.in_use().operators)).total
        for name, figure in folded.items():
            if flat[name] != figure:
                self.fail(
                    f"{name} of {row} is {figure} with blocks and {flat[name]} written out",
                    "What is done to a node must not depend on its name or its index: ask for its operator and specs.",
                )

    def check_written_and_read(self, row: Totals, graph: Graph, totals: Mapping[str, Any] | None = None) -> None:
        """Fails unless a saved graph reads back with the same totals, which are counted unless they are given."""
        again = graph_json.from_dict(graph_json.to_dict(graph), graph.name, self.in_use().operators)
        ours = self.totals_of_graph(row, graph) if totals is None else totals
        theirs = self.of_graph(row, again).total
        for name, figure in ours.items():
            if theirs[name] != figure:
                self.fail(
                    f"{name} of {row} is {figure}, and {theirs[name]} when the graph is saved and read back",
                    "Attributes of nodes must be numbers, texts, bools, None or tuples of these.",
                )

    def check_symbols(
        self, row: Totals, sizes: Mapping[str, Sequence[int]], at: Sequence[Mapping[str, int]] = ()
    ) -> None:
        """Fails unless the totals with symbols as sizes, evaluated, are those with ints: at the given numbers of each
        size, the first of all, then the second, or at the points `at`; or else at large ones: where the conditions that
        the report states (`seq_len > 4096`) hold."""
        if self.is_finished(row):
            return
        sympy = needed("sympy")

        symbols = {name: sympy.Symbol(name, integer=True, positive=True) for name in sizes}
        report = self.account(row, **symbols)
        formulas = {name: found for name, found in report.total.items() if is_symbol(found)}
        points: list[Mapping[str, int]] = [*at] or [
            dict(zip(sizes, numbers, strict=True)) for numbers in zip(*sizes.values(), strict=True)
        ]
        tried = [points]
        tried += [[dict.fromkeys(sizes, large)] for large in LARGE]
        for found in tried:
            held = [point for point in found if self._holds(report, symbols, point)]
            for point in held:
                numbers = Numbers({symbols[name]: point[name] for name in sizes})
                formed = {**report.total, **{name: numbers.of(formula) for name, formula in formulas.items()}}
                for name, exact in self.totals(row, **point).items():
                    if formed[name] != exact:
                        self.fail(
                            f"{name} of {row} is {exact} for {dict(point)}, and {formed[name]} with symbols as sizes",
                            "Formulas write exact_div, //, maximum, minimum and equal instead of /, max, min and ==.",
                        )
            if held:
                return

    def _holds(self, report: Report, symbols: Mapping[str, Any], point: Mapping[str, int]) -> bool:
        """Returns whether what a report assumes of symbols holds at a point."""
        values = {symbols[name]: number for name, number in point.items()}
        return not any(condition.subs(values) == False for condition in report.conditions)  # noqa: E712  sympy's own

    def check_growth(self, row: Totals, size: str, numbers: Sequence[int], **others: int) -> None:
        """Fails if a total falls while one size grows and the others stay. Ratios are not among the totals."""
        if self.is_finished(row):
            return
        before: Mapping[str, Any] = {}
        for number in numbers:
            after = self.totals(row, **{**others, size: number})
            for name, figure in before.items():
                if after[name] < figure:
                    self.fail(
                        f"{name} of {row} falls from {figure} to {after[name]} when {size} grows to {number}",
                        "Mend the formula that it comes from: graphacct explain shows it, node by node.",
                    )
            before = after


def few(graph: Graph) -> Graph:
    """Returns the graph with at most three repetitions of each block: a first one, a last one and one between them show
    what a hundred do. A graph that has no more, or whose blocks' numbers of repetitions show in a value, stays as it
    is."""
    blocks = [item for item in graph.nodes if isinstance(item, Block)]
    short = {id(block): few(block.body) for block in blocks}
    if any(block.one_by_one or len(block.outputs) > len(block.carry) for block in blocks):
        return graph
    if all(block.repeat <= FEW and short[id(block)] is block.body for block in blocks):
        return graph
    nodes = tuple(
        attrs.evolve(item, body=short[id(item)], repeat=min(item.repeat, FEW)) if isinstance(item, Block) else item
        for item in graph.nodes
    )
    return attrs.evolve(graph, nodes=nodes)


MODEL = frozenset(ModelKeywords.__annotations__)
"""The options that are about building."""


def sample_rows(plugins: Plugins, train: bool = False) -> list[Totals]:
    """Returns two registered models to try things on: the first presets of the first architectures."""
    found: list[Totals] = []
    for item in plugins.architectures.values():
        architecture = item.load()
        if architecture.presets and (not train or TRAIN in architecture.phases):
            found.append(Totals(next(iter(architecture.presets)), {"phase": TRAIN} if train else {}))
        if len(found) == 2:
            break
    return found
