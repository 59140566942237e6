"""The contract of a transform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from graphacct.errors import ConfigError
from graphacct.graph.graph import Graph
from graphacct.readers import graph_json
from graphacct.testing.totals import ModelContract, Totals
from graphacct.transforms.transform import APPLIED, Transform, transformed


class TransformContract(ModelContract):
    """What holds for every transform. A subclass sets `transform`, `rows` and, if it has options without a default,
    `given`. The figures of the rows are those after the transform.

    Attributes:
        transform: The transform, or its name.
        given: Its options.
    """

    kind = "transforms"
    noun = "transform"
    transform: ClassVar[Transform | str]
    given: ClassVar[Mapping[str, Any]] = {}

    def options(self, row: Totals) -> dict[str, Any]:
        """Returns the row's options and the transform, after those of the row."""
        earlier = row.options.get("transforms", ())
        return {**row.options, "transforms": [*earlier, (self.thing().name, self.given)]}

    def test_it_says_what_it_is(self) -> None:
        """`graphacct list transforms` has its sentence, and one for each option."""
        self.check_sentence()
        for option in self.thing().options:
            if len(option.help.split()) < 2:
                self.fail(f"option {option.name!r} says {option.help!r}", "Say in its help what it does.")

    def test_every_node_has_a_cost_afterwards(self) -> None:
        """The graph is sound, and each operator in it is registered."""
        for row in self.rows:
            self.check_costed(row, self.account(row, unknown="report"))

    def test_blocks_cost_what_they_cost_written_out(self) -> None:
        """The transform of a graph written out has the totals of the graph that it makes of blocks."""
        for row in self.rows:
            before = self._before(row)
            flat = self._applied(before.unroll(self.in_use().operators))
            folded = self._applied(before)
            ours, theirs = (self.of_graph(row, graph).total for graph in (folded, flat))
            for name, figure in ours.items():
                if theirs[name] != figure:
                    self.fail(
                        f"{name} of {row} is {figure} with blocks and {theirs[name]} written out",
                        "Do to a node in a block what is done to each of its repetitions; graphacct.rewrite does.",
                    )

    def test_it_leaves_its_input_as_it_is(self) -> None:
        """The graph that it was given is the same afterwards."""
        for row in self.rows:
            graph = self._before(row)
            before = graph_json.to_dict(graph)
            self._applied(graph)
            if graph_json.to_dict(graph) != before:
                self.fail(f"it changes the graph of {row}", "Graphs are values: make a new one (graphacct.rewrite).")

    def test_a_saved_graph_reads_back(self) -> None:
        """The graph that it makes can be saved and read."""
        for row in self.rows:
            self.check_written_and_read(row, self.graph(row))

    def test_the_report_names_it(self) -> None:
        """The workload lists it with its options, so that no figure is without it."""
        for row in self.rows:
            names = [record["name"] for record in self.graph(row).workload.get(APPLIED, ())]
            if self.thing().name not in names:
                self.fail(
                    f"the workload of {row} lists {names}",
                    "Return attrs.evolve(graph, …), which keeps the workload, or let graphacct.rewrite make the graph.",
                )

    def test_wrong_options_are_errors_that_name_them(self) -> None:
        """An option that it does not have, or a value of another type, raises ConfigError with its name."""
        transform = self.thing()
        strange = [("no_such_option", 1), *((o.name, object()) for o in transform.options if o.type is not tuple)]
        for row in self.rows[:1]:
            for name, value in strange:
                try:
                    self._applied(self._before(row), {**self.given, name: value})
                except ConfigError as error:
                    if name not in str(error):
                        self.fail(f"{name}={value!r} raises {str(error)!r}", "The error must name the option.")
                else:
                    self.fail(f"it takes {name}={value!r}", "Declare its options: Option(name, type, default, help).")

    def _before(self, row: Totals) -> Graph:
        return self.graph(row, transforms=row.options.get("transforms", ()))

    def _applied(self, graph: Graph, given: Mapping[str, Any] | None = None) -> Graph:
        plugins = self.in_use()
        asked = [(self.thing().name, self.given if given is None else given)]
        return transformed(graph, asked, plugins.transforms, plugins.operators)
