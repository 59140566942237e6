"""The contract of a weight format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from graphacct.errors import ConfigError, GraphacctError, PluginError
from graphacct.graph.weight_format import WeightFormat
from graphacct.models.weight_formats import WeightFormatKind, weight_format
from graphacct.testing import worlds
from graphacct.testing.figures import FigureContract
from graphacct.testing.rows import Sized
from graphacct.testing.totals import sample_rows
from graphacct.transforms.transform import TYPES
from graphacct.verbs.account import account
from graphacct.verbs.build import build

STRANGE: dict[type, tuple[Any, ...]] = {int: (-7, 0, 10**12), float: (-1.0, 0.0), str: ("no such value",)}
"""Values that options are given; each is an error of graphacct's, or one that the format knows."""


@attrs.frozen(init=False)
class Matrix:
    """A matrix of so many outputs and inputs, and its bytes: `Matrix(8, 128, {"group": 64}, bytes=8 * (64 + 8))`.

    Attributes:
        rows: Its outputs.
        columns: Its inputs.
        options: Those of the format that differ from the defaults.
        stated: The bytes of all tensors together (`bytes`), or of those of a name.
    """

    rows: int
    columns: int
    options: Mapping[str, Any]
    stated: Mapping[str, int]

    def __init__(self, rows: int, columns: int, options: Mapping[str, Any] | None = None, **stated: int) -> None:
        self.__attrs_init__(rows, columns, options or {}, stated)

    def __str__(self) -> str:
        shown = ", ".join([f"{self.rows} × {self.columns}", *(f"{k}={v!r}" for k, v in self.options.items())])
        return f"a matrix of {shown}"


class WeightFormatContract(FigureContract):
    """What holds for every kind of weight format. A subclass sets `weight_format` and `rows`, of Matrix.

    Attributes:
        weight_format: The kind, or its name.
    """

    kind = "weight_formats"
    noun = "weight_format"
    example = "Matrix(8, 128, bytes=8 * 128 // 2)"
    weight_format: ClassVar[WeightFormatKind | str]

    def sized(self, row: Matrix) -> Sized:
        """Returns rows and columns, whose multiples are whole blocks as they are."""
        return Sized({"rows": row.rows, "columns": row.columns}, self._unused, False)

    def figures(self, row: Matrix) -> worlds.Figures:
        """Returns the bytes of a matrix, and those of each tensor that is stored for it."""
        form = self._format(row)

        def of(rows: Any, columns: Any) -> dict[str, Any]:
            parts = {tensor.name: tensor.of(rows, columns) for tensor in form.tensors}
            return {"bytes": form.bytes(rows, columns), **parts}

        return of

    def test_it_says_what_it_stores_and_where_that_is_from(self) -> None:
        """`graphacct list weight-formats` has its sentence, its source, and a sentence for each option."""
        self.check_sentence()
        form = self.thing()
        if not form.source:
            self.fail("it has no source", "Say where its layout is written down: a repository and the file.")
        for option in form.options:
            if option.type not in TYPES:
                self.fail(f"option {option.name!r} is of the type {option.type!r}", "It is int, float, bool or str.")
            if len(option.help.split()) < 2:
                self.fail(f"option {option.name!r} says {option.help!r}", "Say in its help what it does.")
            if not isinstance(option.default, option.type):
                self.fail(
                    f"the default of option {option.name!r} is {option.default!r}, which is not {TYPES[option.type]}",
                    "Every option of a format has a default of its type.",
                )

    def test_it_stores_whole_tensors(self) -> None:
        """Each tensor has a name of its own and a whole number of bytes for a block."""
        for row in self.rows:
            form = self._format(row)
            names = [tensor.name for tensor in form.tensors]
            if not names or len({*names}) < len(names):
                self.fail(f"it stores {', '.join(names) or 'nothing'} for {row}", "Give each StoredTensor a name.")
            for tensor in form.tensors:
                if tensor.fits(row.rows, row.columns):
                    self.fail(
                        f"{row} cannot be stored: its {tensor.fits(row.rows, row.columns)} ({tensor.name})",
                        "Take a row that it can store, or say padded=True if a last block is stored as if full.",
                    )

    def test_its_written_form_reads_back(self) -> None:
        """What a report calls it is what `--weights` takes."""
        for row in self.rows:
            form = self._format(row)
            try:
                again = weight_format(form.name, {self.thing().name: self.thing()})
            except GraphacctError as error:
                self.fail(f"--weights {form.name} raises {error}", "Options have small letters and no colons.")
            if again != form:
                self.fail(f"--weights {form.name} is another format", "tensors depends on its options alone.")

    def test_strange_options_are_errors(self) -> None:
        """A negative number or an unknown word raises ConfigError, or is one that the format knows."""
        kind = self.thing()
        for option in kind.options:
            for value in STRANGE.get(option.type, ()):
                try:
                    form = kind.format(**{option.name: value})
                    if form.bytes(64, 256) < 0:
                        raise ValueError(f"a matrix has {form.bytes(64, 256)} bytes")
                except PluginError as error:
                    self.fail(f"{option.name}={value!r}: {error}", "Raise graphacct.ConfigError, which says the fault.")
                except GraphacctError:
                    continue
                except Exception as error:
                    self.fail(f"{option.name}={value!r}: {error}", "Raise graphacct.ConfigError for such a value.")

    def test_a_model_is_stored_so(self) -> None:
        """The bytes of a model's weights are the same in blocks as written out; or its matrices are no whole blocks."""
        plugins = self.in_use()
        quantities = ("params", "param_bytes")
        for row in self.rows[:1]:
            for sample in sample_rows(plugins):
                try:
                    graph = build(sample.model, weights=self._format(row).name, plugins=plugins)
                except ConfigError:
                    continue
                flat = graph.unroll(plugins.operators)
                ours, theirs = (
                    account(one, quantities=quantities, plugins=plugins).total["param_bytes"] for one in (graph, flat)
                )
                if ours != theirs:
                    self.fail(
                        f"{sample.model} has {ours} bytes with blocks and {theirs} written out",
                        "tensors depends on its options alone.",
                    )

    def _format(self, row: Matrix) -> WeightFormat:
        form: WeightFormat = self.thing().format(**row.options)
        return form

    @staticmethod
    def _unused(**sizes: Any) -> Any:
        raise NotImplementedError
