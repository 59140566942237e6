"""The parts sum to the total: of every preset, in every grouping, and in a file of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from each import each
from runnable import runnable
from runs import scopes_that_are_nodes

from graphacct import Report, account
from graphacct.hooks.manager import default
from graphacct.render.csv import csv as to_csv
from graphacct.render.json import json as to_json
from graphacct.render.sheet import sheet
from graphacct.render.units import params as shown

PRESETS = [
    preset
    for name, architecture in default().architectures.items()
    for preset in (tuple(architecture.presets) or (name,))
]
FIRST = {next(iter(architecture.presets), name) for name, architecture in default().architectures.items()}
TRAINED = ("gpt2", "t5-small", "smollm3-3b", "gpt-oss-20b", "deepseek-v2-lite", "gemma-2-2b", "jamba-v0.1", "resnet50")
"""One preset of each way to fold layers: one block, several, alternating ones, none."""


FILES = ("json", "scope", "operator", "node", "parameter")
"""What is written and read back: JSON has three groupings in one file, a CSV file one."""


def check(report: Report, files: Sequence[str] = FILES) -> None:
    """Asserts it for every quantity that is a sum: of the report's rows and of what is read back."""
    check_rows(report, "scope", [{"path": row.path, **row.values} for row in report.by_scope])
    check_rows(report, "operator", [row.values for row in report.by_operator])
    parameters = report.records("parameter")
    check_rows(report, "parameter", parameters)
    for file in files:
        if file == "json":
            page = json.loads(to_json(report))
            for by in ("scope", "operator", "parameter"):
                check_rows(report, by, page[f"by_{by}"])
        else:
            names, *lines = csv.reader(io.StringIO(to_csv(report, file)))
            check_rows(report, file, [dict(zip(names, line, strict=True)) for line in lines])
    assert sum(row.parameter.spec.elements * row.owned for row in report.by_parameter) == report.total["params"]
    for row in parameters:  # no row of a model whose operators are all known is left out in silence
        assert (row["params"] == 0) == bool(row["tied_to"] or row["buffer"]), row["name"]
    cells = [line.cells[4] for line in sheet(report, "parameter").lines]  # the table, Markdown and HTML
    assert cells == [shown(row["params"]) if row["params"] else "" for row in parameters]


def check_rows(report: Report, by: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Asserts it for the rows of one grouping, whose figures are numbers or texts; scopes contain their nodes."""
    names = [quantity.name for quantity in report.quantities if quantity.combine == "sum"]
    if by == "scope":
        roots = {row.path for row in report.by_scope if row.depth == 0}
        rows = [row for row in rows if row["path"] in roots]
    for name in names if by != "parameter" else ("params",):
        assert sum([int(row[name] or 0) for row in rows]) == report.total[name], (by, name)


@each("preset, file", zip(PRESETS, cycle(FILES)))
def test_the_parts_of_a_forward_pass_sum_to_its_total(preset: str, file: str) -> None:
    """By scope, operator, parameter and node; deepseek-v3's tensors summed to 14 of its 671 billion parameters. And no
    node of a family's first preset is a scope."""
    report = account(preset, **runnable(preset))
    check(report, [file])
    if preset in FIRST:
        assert not scopes_that_are_nodes(report.annotated.graph)


@pytest.mark.parametrize("preset", TRAINED)
def test_the_parts_of_a_training_step_sum_to_its_total(preset: str) -> None:
    """The gradients', the optimizer's and the saved bytes too."""
    check(account(preset, phase="train"))


def test_tensors_of_nodes_without_a_cost_are_in_no_row_and_no_total(tmp_path: Path) -> None:
    """Nobody knows the operator that has b: its row has 0 parameters, in the table too. 12 = 4 · 3, those of a."""
    document = {
        "schema": "graphacct.graph/1",
        "name": "half",
        "inputs": [{"name": "x", "shape": [2, 3]}],
        "nodes": [
            {"name": "known", "operator": "linear", "inputs": ["x", {"parameter": "a", "shape": [4, 3]}]},
            {
                "name": "unknown",
                "operator": "mystery",
                "inputs": ["known", {"parameter": "b", "shape": [5, 4]}],
                "outputs": [{"shape": [2, 5]}],
            },
        ],
        "outputs": ["unknown"],
    }
    path = tmp_path / "half.json"
    path.write_text(json.dumps(document))
    report = account(path, unknown="report")
    assert {row["name"]: row["params"] for row in report.records("parameter")} == {"a": 12, "b": 0}
    assert [line.cells[4] for line in sheet(report, "parameter").lines] == ["12", ""]
    assert report.total["params"] == 12
