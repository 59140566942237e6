"""The parts sum to the total: of every preset, in every grouping and every format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
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


def check(report: Report) -> None:
    """Asserts it for every quantity that is a sum."""
    total: Mapping[str, Any] = report.total
    names = [quantity.name for quantity in report.quantities if quantity.combine == "sum"]
    page = json.loads(to_json(report))
    roots = {row.path for row in report.by_scope if row.depth == 0}
    for rows in (
        [row.values for row in report.by_scope if row.path in roots],
        [row.values for row in report.by_operator],
        [row for row in page["by_scope"] if row["path"] in roots],
        page["by_operator"],
    ):
        for name in names:
            assert sum([row[name] for row in rows]) == total[name], name
    scopes = read(report, "scope")
    outermost = [place for place, path in enumerate(scopes["path"]) if path in roots]
    for name in names:
        assert sum([int(scopes[name][place]) for place in outermost]) == total[name], name
    for by in ("operator", "node"):
        columns = read(report, by)
        for name in names:
            assert sum(map(int, filter(None, columns[name]))) == total[name], name
    assert sum([row["params"] for row in page["by_parameter"]]) == total["params"]
    assert sum(map(int, read(report, "parameter")["params"])) == total["params"]
    assert sum(row.parameter.spec.elements * row.owned for row in report.by_parameter) == total["params"]
    for row in page["by_parameter"]:  # no row of a model whose operators are all known is left out in silence
        assert (row["params"] == 0) == bool(row["tied_to"] or row["buffer"]), row["name"]
    cells = [line.cells[4] for line in sheet(report, "parameter").lines]  # the table, Markdown and HTML
    assert cells == [shown(row["params"]) if row["params"] else "" for row in page["by_parameter"]]


def read(report: Report, by: str) -> dict[str, tuple[str, ...]]:
    """The columns of a CSV file, by their names."""
    names, *rows = csv.reader(io.StringIO(to_csv(report, by)))
    return dict(zip(names, zip(*rows, strict=True), strict=True))


@each("preset", PRESETS)
def test_the_parts_of_a_forward_pass_sum_to_its_total(preset: str) -> None:
    """By scope, operator, parameter and node; deepseek-v3's tensors summed to 14 of its 671 billion parameters. And no
    node of a family's first preset is a scope."""
    report = account(preset, **runnable(preset))
    check(report)
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
