"""What holds for every model: three worlds agree, folded equals unrolled, the parts sum to the total."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy
import pytest
import strategies
import sympy
from draws import examples
from hypothesis import given
from hypothesis import strategies as st

import graphacct
from graphacct import ConfigError, Graph, Report

WORLDS = examples(8)
GRAPHS = examples(75)
CONVENTIONS = ("exact", "matmul", "worksheet")

batch, seq, heads, half, layers, vocab, inner = sympy.symbols(
    "batch seq heads half layers vocab inner", positive=True, integer=True
)
SYMBOLS = (batch, seq, heads, half, layers, vocab, inner)
FAMILIES = ("gpt2", "transformer-lm")


def options(model: str, sizes: Mapping[Any, Any]) -> dict[str, Any]:
    """A model of these sizes; the heads and half of their (even) width are free, the model's width derives."""
    width = sizes[heads] * 2 * sizes[half]
    config = {"vocab_size": sizes[vocab], "n_head": sizes[heads], "n_layer": sizes[layers]}
    if model == "gpt2":
        config |= {"n_embd": width, "n_inner": sizes[inner], "n_positions": sizes[seq]}
    else:
        config |= {"d_model": width, "d_ff": sizes[inner]}
    return {"batch": sizes[batch], "seq_len": sizes[seq], "set": config}


def report(model: str, sizes: Mapping[Any, Any], attention: str, convention: str = "exact") -> Report:
    return graphacct.account(model, attention=attention, convention=convention, **options(model, sizes))


SYMBOLIC = {
    (model, attention): report(model, dict(zip(SYMBOLS, SYMBOLS, strict=True)), attention)
    for model in FAMILIES
    for attention in ("eager", "fused")
}


def figures(report: Report) -> dict[tuple[Any, ...], Any]:
    """Every number of a report, by path and quantity."""
    result: dict[tuple[Any, ...], Any] = {("total", name): value for name, value in report.total.items()}
    for by, rows in (("scope", report.by_scope), ("operator", report.by_operator)):
        for row in rows:
            result |= {(by, row.path, name): value for name, value in row.values.items()}
            result[by, row.path, "repeat"] = row.repeat
    for line in report.by_parameter:
        result |= {("parameter", line.parameter.name, i): size for i, size in enumerate(line.parameter.spec.shape)}
        result["parameter", line.parameter.name, "count"] = line.count
    return result


@pytest.mark.parametrize(("model", "attention"), SYMBOLIC)
def test_symbols_give_the_formula_of_the_ints(model: str, attention: str) -> None:
    """A model built from sympy symbols gives formulas; with numbers put in they are the numbers' own report."""
    formulas = figures(SYMBOLIC[model, attention])
    names = list(formulas)
    evaluate = sympy.lambdify(SYMBOLS, [formulas[name] for name in names], modules=[{"Max": max}, "sympy"], cse=True)

    @WORLDS
    @given(st.tuples(*[strategies.sizes()] * len(SYMBOLS)))
    def agree(values: tuple[int, ...]) -> None:
        expected = figures(report(model, dict(zip(SYMBOLS, values, strict=True)), attention))
        assert dict(zip(names, map(int, evaluate(*values)), strict=True)) == expected

    agree()


@pytest.mark.parametrize("kind", [float, object])
@pytest.mark.parametrize("attention", ["eager", "fused"])
@pytest.mark.parametrize("model", FAMILIES)
def test_arrays_give_the_figures_of_the_ints(model: str, attention: str, kind: type) -> None:
    """A sweep over numpy arrays is the ints' report at every point: exact in Python ints, below 1e-15 in float64."""

    @WORLDS
    @given(st.lists(st.tuples(*[strategies.sizes()] * len(SYMBOLS)), min_size=2, max_size=3))
    def agree(points: list[tuple[int, ...]]) -> None:
        columns: list[Any] = [numpy.array(column).astype(kind) for column in zip(*points, strict=True)]
        swept = {
            name: [value] * len(points) if isinstance(value, int) else list(numpy.broadcast_to(value, len(points)))
            for name, value in figures(report(model, dict(zip(SYMBOLS, columns, strict=True)), attention)).items()
        }
        for index, point in enumerate(points):
            expected = figures(report(model, dict(zip(SYMBOLS, point, strict=True)), attention))
            assert swept.keys() == expected.keys()
            for name, value in expected.items():
                ours = swept[name][index]
                if kind is object:
                    assert type(ours) is int, name
                    assert ours == value, name
                else:
                    assert abs(ours - value) <= 1e-15 * abs(value), name

    agree()


@pytest.mark.parametrize("model", [*FAMILIES, "gpt2-xl", "transformer-lm-xl"])
def test_a_grid_of_lengths_and_batches(model: str) -> None:
    """Two axes that broadcast give a grid, each cell the report of its own length and batch."""
    lengths, batches = [2, 128, 1024], [2, 4]
    grid = graphacct.account(
        model, seq_len=numpy.array(lengths, dtype=float), batch=numpy.array(batches, dtype=float)[:, None]
    )
    for row, size in enumerate(batches):
        for column, length in enumerate(lengths):
            expected = graphacct.account(model, seq_len=length, batch=size)
            for name, value in expected.total.items():
                ours = numpy.broadcast_to(grid.total[name], (len(batches), len(lengths)))[row, column]
                assert ours == pytest.approx(value, rel=1e-15, abs=0), name


def test_large_sweeps_do_not_wrap() -> None:
    """Beyond 2**63 the ints stay exact and float64 keeps its 15 digits, where int64 would turn negative."""
    length = 2**40
    expected = graphacct.account("transformer-lm-xl", seq_len=length).total["flops"]
    # two products and 7 per score (scale, mask, softmax) of 48 layers alone: 48 * s * s * (4 * 1600 + 7 * 25)
    assert expected > 48 * length * length * (4 * 1600 + 7 * 25) > 2**63
    swept: Any = graphacct.account("transformer-lm-xl", seq_len=numpy.array([float(length)])).total["flops"]
    assert swept[0] == pytest.approx(expected, rel=1e-15, abs=0)
    exact: Any = graphacct.account("transformer-lm-xl", seq_len=numpy.array([length], dtype=object)).total["flops"]
    assert exact[0] == expected


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_integer_arrays_are_refused(dtype: str) -> None:
    """An int64 array would wrap silently: it is refused, and the message says what to use."""
    array = numpy.array([128, 129]).astype(dtype)
    way_out = rf"is an array of {dtype}, .* use \.astype\(float\) for a sweep or \.astype\(object\) for exact ints"
    with pytest.raises(ConfigError, match=f"seq_len {way_out}"):
        graphacct.account("gpt2", seq_len=array)
    with pytest.raises(ConfigError, match=f"n_layer {way_out}"):
        graphacct.account("gpt2", set={"n_layer": array})


def same_when_unrolled(graph: Graph, convention: str) -> tuple[Report, Report]:
    """Compare the reports of a graph and of its unrolled form, number by number, and return them."""
    folded = graphacct.account(graph, convention=convention)
    flat = graphacct.account(graph.unroll(), convention=convention)
    assert dict(flat.total) == dict(folded.total)
    ours = {row.path: (row.operator, row.repeat, row.share, row.figures) for row in folded.by_scope}
    theirs = {row.path: (row.operator, row.repeat, row.share, row.figures) for row in flat.by_scope}
    stacks = {path for path, row in theirs.items() if row[0] == "stack"}
    assert not any(any(theirs[path][3]) for path in stacks), "gathering what repetitions stacked up costs nothing"
    assert [path for path in theirs if path not in stacks] == list(ours)
    assert {path: row for path, row in theirs.items() if path not in stacks} == ours
    by_operator = {row.path: (row.repeat, row.figures) for row in folded.by_operator}
    assert {row.path: (row.repeat, row.figures) for row in flat.by_operator if row.path != "stack"} == by_operator
    tensors = dict(written_out(folded))
    assert {line.parameter.name: line.parameter for line in flat.by_parameter} == tensors
    return folded, flat


def written_out(report: Report) -> list[tuple[str, Any]]:
    """Every tensor of the checkpoint under its full name, with the tie written out as well."""
    import itertools

    import attrs

    from graphacct.graph.paths import indexed

    result = {}
    for record in report.annotated.costs:
        levels = [range(first, first + n) for first, n in zip(record.starts, record.repeats, strict=True)]
        for parameter in record.node.parameters:
            for indices in itertools.product(*levels[: parameter.name.count("*")]):
                name, tied_to = indexed(parameter.name, indices), indexed(parameter.tied_to, indices)
                result.setdefault(name, attrs.evolve(parameter, name=name, tied_to=tied_to))
    assert sum(line.count for line in report.by_parameter) == len(result)
    return list(result.items())


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("attention", ["eager", "fused"])
@pytest.mark.parametrize("model", ["gpt2", "gpt2-large", "transformer-lm-small", "transformer-lm-xl"])
def test_folded_equals_unrolled(model: str, attention: str, convention: str) -> None:
    """A model with its layers folded into a block has every figure of the model written out, row by row."""
    same_when_unrolled(graphacct.build(model, attention=attention, seq_len=16), convention)


def parts_sum(report: Report) -> None:
    """The nodes' rows, the operators' rows and the parameters each sum to the totals."""
    leaves = [row for row in report.by_scope if row.operator]
    for name, total in report.total.items():
        assert sum(row.values[name] for row in leaves) == total, name
        assert sum(row.values[name] for row in report.by_operator) == total, name
    if report.total["flops"]:
        assert sum(row.share for row in leaves) == pytest.approx(1)
    total = report.total
    assert total["flops"] == total["matmul_flops"] + total["vector_flops"]
    assert 2 * total["macs"] == total["matmul_flops"]
    own = [line for line in report.by_parameter if not line.parameter.tied_to and not line.parameter.buffer]
    assert sum(line.parameter.spec.elements * line.count for line in own) == total["params"]
    assert sum(line.parameter.spec.bytes * line.count for line in own) == total["param_bytes"]


def scopes_sum(report: Report) -> None:
    """A scope's row is the sum of the rows of the nodes under it."""
    rows = [row for row in report.by_scope if row.operator]
    for scope in report.by_scope:
        if scope.operator:
            continue
        inside = [row.figures for row in rows if row.path.startswith(f"{scope.path}.")]
        assert scope.figures == tuple(map(sum, zip(*inside, strict=True))), scope.path


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("attention", ["eager", "fused"])
@pytest.mark.parametrize("model", ["gpt2", "gpt2-xl", "transformer-lm-small", "transformer-lm-xl"])
def test_the_parts_sum_to_the_total(model: str, attention: str, convention: str) -> None:
    """Rows by scope, by operator and by parameter sum to the totals, and scopes to what is in them."""
    report = graphacct.account(model, attention=attention, convention=convention)
    parts_sum(report)
    scopes_sum(report)


@GRAPHS
@given(strategies.graphs(), st.sampled_from(CONVENTIONS))
def test_folded_equals_unrolled_and_the_parts_sum_for_any_graph(graph: Graph, convention: str) -> None:
    """The same for random graphs, folded and written out, which have the same figures: nested blocks, constants,
    several carries, stacks, shared and tied parameters."""
    for report in same_when_unrolled(graph, convention):
        parts_sum(report)
        scopes_sum(report)
