"""The contract of an architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar
from unittest import SkipTest

import attrs

from graphacct.errors import ConfigError, GraphacctError
from graphacct.models.architecture import Architecture
from graphacct.models.metadata import SIZE
from graphacct.phases import FORWARD, TRAIN
from graphacct.reports.report import Report
from graphacct.testing.totals import ModelContract, Totals, few

BATCHES = (2, 3)
"""The numbers of the batch, from small to large."""
LENGTHS = (3, 8)
"""The numbers of a length, from small to large: an odd one, which a formula that halves it shows."""
ANY_NUMBER = ("seq_len", "encoder_seq_len")
"""Lengths that take any number."""
WITHOUT_MEMORY = ("weight_grad_flops", "input_grad_flops")
"""What a training step is asked for here: the kernels and their memory are a profile's."""


class ArchitectureContract(ModelContract):
    """What holds for every architecture. A subclass sets `architecture` and `rows`; the models of the rows are presets,
    or the architecture's own name.

    Attributes:
        architecture: The architecture, or its name.
        lengths: For a size of the workload that not every number fits (images come in patches), those to try.
    """

    kind = "architectures"
    noun = "architecture"
    architecture: ClassVar[Architecture | str]
    lengths: ClassVar[Mapping[str, Sequence[Any]]] = {}

    def test_it_says_what_it_is(self) -> None:
        """`graphacct list` has its sentence; every preset can be configured."""
        self.check_sentence()
        architecture = self.thing()
        for name in architecture.presets:
            if not isinstance(architecture.preset(name), architecture.config):
                self.fail(f"preset {name!r} is no {architecture.config.__name__}", "Presets are of the config's class.")

    def test_every_phase_builds_and_costs_every_node(self) -> None:
        """Each phase that it declares gives a graph whose operators are all registered."""
        for row in self.rows:
            for phase in self.thing().phases:
                self.check_costed(row, self._of_phase(row, phase))

    def test_parameters_do_not_depend_on_the_workload(self) -> None:
        """Batch and lengths change no parameter."""
        for row in self.rows:
            before = self.totals(row)["params"]
            for point in self._points():
                after = self.totals(row, **point)["params"]
                if after != before:
                    at = ", ".join(f"{size}={number}" for size, number in point.items())
                    self.fail(
                        f"{row} has {before} parameters, and {after} with {at}",
                        "Parameters have sizes of the configuration alone: a table of positions is as long as it says.",
                    )

    def test_costs_never_fall_when_a_size_grows(self) -> None:
        """A larger batch or a longer sequence is at least as much work, and as many bytes."""
        for row in self.rows:
            for below, above in pairwise(self._points()):
                [size] = [size for size in below if below[size] != above[size]]
                self.check_growth(row, size, (below[size], above[size]), **below)

    def test_symbols_agree_with_ints(self) -> None:
        """The totals with symbols as batch and lengths are formulas whose values are the ints'."""
        for row in self.rows:
            self.check_symbols(row, self._sizes(), self._points())

    def test_blocks_cost_what_they_cost_written_out(self) -> None:
        """A graph with repeated layers folded and the same graph unrolled have the same totals."""
        for row in self.rows:
            report = self.report(row)
            graph = report.annotated.graph
            short = few(graph)
            self.check_folded(row, short, report.total if short is graph else None)

    def test_a_saved_graph_reads_back(self) -> None:
        """`graphacct export` and reading the file lose nothing."""
        for row in self.rows:
            report = self.report(row)
            self.check_written_and_read(row, report.annotated.graph, report.total)

    def test_a_training_step_has_every_gradient(self) -> None:
        """With losses, a training step computes a gradient of every parameter, and says what it saves."""
        if TRAIN not in self.thing().phases:
            raise SkipTest("it declares no losses")
        for row in self.rows:
            report = self._of_phase(row, TRAIN)
            self.check_costed(row, report)  # a node that states no gradient has no cost in it
            if not report.total["weight_grad_flops"]:
                self.fail(f"a training step of {row} computes no gradient of a weight", "The loss must reach them.")

    def test_a_bad_value_is_an_error_that_names_the_key(self) -> None:
        """A size that is negative or no number raises ConfigError, which names the key; so does an unknown key."""
        architecture = self.thing()
        for row in self.rows:
            config = self._config(row)
            for key in [field.name for field in attrs.fields(architecture.config) if SIZE in field.metadata]:
                for value in (-1, "wide"):
                    self._refuses(config, key, value)
            self._refuses(config, "no_such_key", 1)

    def test_a_configuration_can_be_changed(self) -> None:
        """`--set` makes a configuration from another one: its values are taken again as they are."""
        for row in self.rows:
            config = self._config(row)
            try:
                again = attrs.evolve(config)
            except GraphacctError as error:
                self.fail(f"{row} made again raises {str(error)!r}", "A field takes the value that it returned.")
            if again != config:
                self.fail(f"{row} made again is not equal to it", "A field returns a value that it took as it is.")

    def _refuses(self, config: Any, key: str, value: Any) -> None:
        try:
            self.thing().configure(config, {key: value})
        except GraphacctError as error:
            if key not in str(error):
                self.fail(
                    f"{key}={value!r} raises {str(error)!r}", "The error must name the key: use graphacct.fields."
                )
        except Exception as error:
            self.fail(
                f"{key}={value!r} raises {type(error).__name__}: {error}",
                "Declare the field with graphacct.fields, whose errors name key and value.",
            )
        else:
            self.fail(f"{key}={value!r} is taken", f"Declare it with graphacct.fields: {key}: int = fields.size(…).")

    def _config(self, row: Totals) -> Any:
        architecture = self.thing()
        name = str(row.model)
        try:
            return architecture.preset(name) if name in architecture.presets else architecture.config()
        except ConfigError as error:
            self.fail(f"{name!r} cannot be configured: {error}", "Mend the preset.")

    def _of_phase(self, row: Totals, phase: str) -> Report:
        """Returns the row's report in a phase, without the memory of a step."""
        if phase == row.options.get("phase", FORWARD):
            return self.report(row)
        return self.report(row, phase=phase, unknown="report", quantities=WITHOUT_MEMORY if phase == TRAIN else ())

    def _sizes(self) -> dict[str, Sequence[int]]:
        """Returns the sizes of the workload, with the numbers to try, from small to large."""
        sizes: dict[str, Sequence[int]] = {"batch": BATCHES}
        for size in self.thing().sizes:
            if size in self.lengths:
                sizes[size] = self.lengths[size]
            elif size in ANY_NUMBER:  # patches and strides divide few numbers: only those that the author names
                sizes[size] = LENGTHS
        return {size: some for size, some in sizes.items() if all(type(number) is int for number in some)}

    def _points(self) -> list[dict[str, int]]:
        """Returns a staircase: all sizes at their smallest, then one after the other grows by each of its numbers.

        A batch of 2 or 3 and a length of 3 or 8 are (2, 3), (3, 3), (3, 8): from a point to the next one size alone has
        grown, and what each test counts at these is counted once for all of them.
        """
        sizes = self._sizes()
        points = [{size: numbers[0] for size, numbers in sizes.items()}]
        for size, numbers in sizes.items():
            points += [{**points[-1], size: number} for number in numbers[1:]]
        return points
