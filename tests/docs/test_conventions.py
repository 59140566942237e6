"""The tables of factors in docs/conventions.md: each line is what the operators count, and no operator is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import graphacct_operators
import pytest

from graphacct import Operator, TensorSpec

PAGE = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text(encoding="utf-8")
OPERATORS = {operator.name: operator for operator in graphacct_operators.graphacct_register_operators()}

# Operands that tell all dimensions apart, where the signature alone does not give them; weights and biases are there.
SAMPLES: dict[str, tuple[list[tuple[int, ...]], dict[str, Any]]] = {
    "linear": ([(2, 3, 5), (7, 5), (7,)], {}),
    "linear_in_out": ([(2, 3, 5), (5, 7), (7,)], {}),
    "matmul": ([(2, 3, 5), (2, 5, 7)], {}),
    "einsum": ([(2, 3, 5), (2, 7, 5)], {"equation": "bsd,btd->bst"}),
    "convolution": ([(2, 6, 11, 13), (4, 3, 3, 5), (4,)], {"groups": 2, "padding": 1}),
    "convolution_transposed": ([(2, 6, 11, 13), (6, 2, 3, 5), (4,)], {"groups": 2}),
    "scaled_dot_product_attention": ([(2, 6, 3, 5), (2, 3, 7, 5), (2, 3, 7, 11), (3, 7)], {}),
    "pow": ([(2, 3, 5)], {"exponent": 0.5}),
    "dropout": ([(2, 3, 5)], {"p": 0.1}),
    "rotary_embedding": ([(2, 3, 5, 8), (5, 4), (5, 4)], {}),
    "group_norm": ([(2, 6, 5, 7), (6,), (6,)], {"groups": 3}),
    "layer_norm": ([(2, 3, 5), (5,), (5,)], {}),
    "rms_norm": ([(2, 3, 5), (5,)], {}),
    "mean": ([(2, 3, 5)], {"dim": -1}),
    "topk": ([(2, 3, 5)], {"k": 2}),
    "cross_entropy": ([(2, 3, 5), (2, 3)], {}),
    "embedding": ([(2, 3), (7, 5)], {}),
    "gather": ([(2, 3, 5), (2, 3, 2)], {"dim": 2}),
    "index_select": ([(2, 3, 5), (2,)], {"dim": 1}),
    "reshape": ([(2, 3, 5)], {"shape": (6, 5)}),
    "transpose": ([(2, 3, 5)], {"dims": (0, 1)}),
    "permute": ([(2, 3, 5)], {"dims": (2, 0, 1)}),
    "split": ([(2, 3, 6)], {"parts": 2}),
    "select": ([(2, 3, 5)], {"dim": 1}),
    "slice": ([(2, 3, 5)], {"dim": 1, "length": 2}),
    "expand": ([(2, 1, 5)], {"shape": (2, 3, 5)}),
    "cast": ([(2, 3, 5)], {"dtype": "bfloat16"}),
    "pad": ([(2, 3, 5)], {"padding": ((1, 1),)}),
    "repeat": ([(2, 3, 5)], {"times": (1, 2, 1)}),
    "arange": ([], {"n": 5}),
    "causal_mask": ([], {"seq": 5}),
    "constant": ([], {"shape": (3, 5)}),
}


def rows(heading: str) -> Iterator[tuple[list[str], list[str]]]:
    """The operators and the first expression of each other cell, of the table below a sentence of the page."""
    table = PAGE.partition(heading)[2].lstrip("\n").partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        cells = line.strip("| ").split(" | ")
        yield (
            re.findall(r"`(\w+)`", cells[0]),
            [found[1] if (found := re.search("`([^`]+)`", c)) else c for c in cells[1:]],
        )


CONTRACTIONS = [(name, cells) for names, cells in rows("with a bias where they can have one:") for name in names]
ELEMENTWISE = [(name, cells) for names, cells in rows("per element of the output:") for name in names]
REDUCTIONS = [
    (name, cells) for names, cells in rows("with weight and bias where they can have them:") for name in names
]
BYTES = [name for names, _ in rows("Bytes only:") for name in names]


def sample(operator: Operator) -> tuple[list[TensorSpec], dict[str, Any]]:
    shapes, attributes = SAMPLES.get(operator.name, ([(2, 3, 5)] * operator.signature.required, {}))
    return [TensorSpec(shape) for shape in shapes], attributes


def evaluated(expression: str, operator: Operator) -> int:
    """An expression of the tables for the operator's sample."""
    specs, attributes = sample(operator)
    application = operator.apply(specs, attributes)
    names: dict[str, Any] = {**application.dims, **attributes}
    names["out"] = application.outputs[0].elements
    names["x"] = specs[0].elements
    names["r"] = prod(specs[0].shape[:-1])
    if operator.name.startswith("convolution"):
        names["taps"] = prod(specs[1].shape[2:])
        names["j"] = specs[1].shape[1]
    if operator.name == "einsum":
        names["labels"] = 2 * 3 * 7 * 5  # b s t d of the sample's equation
    return int(eval(expression.replace("·", "*"), {"__builtins__": {}}, names))


@pytest.mark.parametrize(("name", "cells"), [*CONTRACTIONS, *REDUCTIONS])
def test_formula_of_the_page(name: str, cells: list[str]) -> None:
    """The expressions, evaluated for a sample, are what the operator counts for it."""
    operator = OPERATORS[name]
    specs, attributes = sample(operator)
    cost = operator.apply(specs, attributes).cost
    found = [cost.matmul_flops, cost.vector_flops, cost.transcendentals][3 - len(cells) :]
    assert [evaluated(cell, operator) for cell in cells] == found
    assert len(cells) == 3 or cost.matmul_flops == 0


@pytest.mark.parametrize(("name", "cells"), ELEMENTWISE)
def test_factor_of_the_page(name: str, cells: list[str]) -> None:
    """The factors, times the elements of the output, are what the operator counts."""
    specs, attributes = sample(OPERATORS[name])
    application = OPERATORS[name].apply(specs, attributes)
    elements = application.outputs[0].elements
    expected = [int(cell) * elements for cell in cells]
    assert [application.cost.vector_flops, application.cost.transcendentals] == expected
    assert application.cost.matmul_flops == 0


@pytest.mark.parametrize("name", BYTES)
def test_bytes_only(name: str) -> None:
    """What the page lists under bytes counts no FLOPs."""
    specs, attributes = sample(OPERATORS[name])
    assert OPERATORS[name].apply(specs, attributes).cost.flops == 0


def test_every_operator_is_listed_once() -> None:
    """An operator added to graphacct-operators needs a line in docs/conventions.md, and a sample here."""
    listed = [*[name for name, _ in (*CONTRACTIONS, *ELEMENTWISE, *REDUCTIONS)], *BYTES]
    assert sorted(listed) == sorted(OPERATORS)
