"""The tables of factors in docs/conventions.md: each line is what the operators count, and no operator is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import graphacct_operators
from each import each

from graphacct import Node, Operator, TensorSpec, Value, Work
from graphacct.training.gradients import gradient_work

PAGE = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text(encoding="utf-8")
OPERATORS = {operator.name: operator.load() for operator in graphacct_operators.graphacct_register_operators()}

# Operands that tell all dimensions apart, where the signature alone does not give them; weights and biases are there.
SAMPLES: dict[str, tuple[list[tuple[int, ...]], dict[str, Any]]] = {
    "linear": ([(2, 3, 5), (7, 5), (7,)], {}),
    "linear_in_out": ([(2, 3, 5), (5, 7), (7,)], {}),
    "matmul": ([(2, 3, 5), (2, 5, 7)], {}),
    "einsum": ([(2, 3, 5), (2, 7, 5), (2, 7, 4)], {"equation": "bsd,btd,btk->bsk"}),
    "matmul_add": ([(7,), (2, 3, 5), (2, 5, 7)], {"beta": 0.5, "alpha": 2}),
    "mv": ([(3, 5), (5,)], {}),
    "dot": ([(5,), (5,)], {}),
    "outer": ([(3,), (5,)], {}),
    "bilinear": ([(2, 3), (2, 5), (7, 3, 5), (7,)], {}),
    "lstm": ([(2, 3, 5), (28, 5), (28, 7), (28,), (28,)], {}),
    "gru": ([(2, 3, 5), (21, 5), (21, 7), (21,), (21,)], {}),
    "rnn": ([(2, 3, 5), (7, 5), (7, 7), (7,), (7,)], {}),
    "weight_norm": ([(6, 5, 7), (6, 1, 1)], {}),
    "solve_triangular": ([(5, 5), (5, 3)], {}),
    "solve": ([(5, 5), (5, 3)], {}),
    "inv": ([(5, 5)], {}),
    "cholesky": ([(5, 5)], {}),
    **dict.fromkeys(("lu_factor", "lu", "det", "slogdet", "eigh", "eig", "matrix_exp"), ([(5, 5)], {})),
    "cholesky_inverse": ([(5, 5)], {}),
    **dict.fromkeys(("qr", "svd", "pinv"), ([(7, 5)], {})),
    "lu_solve": ([(5, 5), (5,), (5, 3)], {}),
    "cholesky_solve": ([(5, 3), (5, 5)], {}),
    "nll_loss": ([(6, 5), (6,)], {}),
    "ctc_loss": ([(4, 2, 5), (2, 3), (2,), (2,)], {}),
    "embedding_bag": ([(12,), (7, 5), (4,), (12,)], {"mode": "sum"}),
    "fft_c2c": ([(3, 8)], {}),
    "fft_r2c": ([(3, 8)], {}),
    "fft_c2r": ([(3, 5)], {"last_dim_size": 8}),
    "unfold": ([(2, 9)], {"dimension": 1, "size": 3, "step": 2}),
    "cdist": ([(2, 3, 5), (2, 4, 5)], {}),
    "euclidean_distance": ([(2, 3, 5), (2, 4, 5)], {}),
    "convolution": ([(2, 6, 11, 13), (4, 3, 3, 5), (4,)], {"groups": 2, "padding": 1}),
    "convolution_transposed": ([(2, 6, 11, 13), (6, 2, 3, 5), (4,)], {"groups": 2}),
    "scaled_dot_product_attention": ([(2, 6, 3, 5), (2, 3, 7, 5), (2, 3, 7, 11), (3, 7)], {}),
    "scaled_dot_product_attention_with_sinks": ([(2, 6, 3, 5), (2, 3, 7, 5), (2, 3, 7, 11), (6,), (3, 7)], {}),
    "latent_attention": ([(2, 6, 3, 5), (2, 7, 5)], {"values": 4}),
    "concat": ([(2, 3, 5), (2, 3, 5)], {}),
    "stack": ([(2, 3, 5), (2, 3, 5)], {}),
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
    "index_pairs": ([(2, 3, 5), (4,), (4,)], {}),
    "reshape": ([(2, 3, 5)], {"shape": (6, 5)}),
    "transpose": ([(2, 3, 5)], {"dims": (0, 1)}),
    "permute": ([(2, 3, 5)], {"dims": (2, 0, 1)}),
    "split": ([(2, 3, 6)], {"parts": 2}),
    "select": ([(2, 3, 5)], {"dim": 1}),
    "slice": ([(2, 3, 5)], {"dim": 1, "length": 2}),
    "expand": ([(2, 1, 5)], {"shape": (2, 3, 5)}),
    "cast": ([(2, 3, 5)], {"dtype": "bfloat16"}),
    "pack_padded": ([(3, 4, 5)], {"rows": 9, "steps": 4}),
    "pad": ([(2, 3, 5)], {"padding": ((1, 1),)}),
    "repeat": ([(2, 3, 5)], {"times": (1, 2, 1)}),
    "arange": ([], {"n": 5}),
    "causal_mask": ([], {"seq": 5}),
    "constant": ([], {"shape": (3, 5)}),
    "full": ([], {"shape": (3, 5)}),
    "relative_buckets": ([], {"queries": 3, "keys": 5}),
    "by_expert": ([(6,)], {"experts": 4}),
    "grouped_linear": ([(6, 5), (4, 7, 5), (4,), (4, 7)], {}),
    "grouped_linear_in_out": ([(6, 5), (4, 5, 7), (4,), (4, 7)], {}),
    "grouped_columns": ([(4, 3, 5), (5, 7), (4,)], {}),
    "grouped_products": ([(3, 5), (5, 7), (4,)], {}),
    "kv_cache": ([], {"shape": (1, 2, 3, 5)}),
    "kv_keep": ([(1, 2, 3, 5)], {"length": 2}),
    "remainder": ([(2, 3, 5), (2, 3, 5)], {}),
    "fmod": ([(2, 3, 5), (2, 3, 5)], {}),
    "clamp_tensor": ([(2, 3, 5), (2, 3, 5), (2, 3, 5)], {}),
    "lerp": ([(2, 3, 5), (2, 3, 5), (2, 3, 5)], {}),
    "masked_fill": ([(2, 3, 5), (2, 3, 5), (2, 3, 5)], {}),
    "glu": ([(2, 3, 6)], {}),
    **dict.fromkeys(("var", "std", "var_mean", "std_mean", "logsumexp", "vector_norm"), ([(2, 3, 5)], {"dim": -1})),
    **dict.fromkeys(("prod", "amin"), ([(2, 3, 5)], {"dim": -1})),
    **dict.fromkeys(("nansum", "aminmax", "count_nonzero"), ([(2, 3, 5)], {"dim": -1})),
    "trace": ([(3, 5)], {}),
    "unique": ([(2, 3, 5)], {"count": 7}),
    "pdist": ([(4, 5)], {}),
    "renorm": ([(3, 5)], {}),
    "multi_margin_loss": ([(6, 5), (6,), (5,)], {}),
    "embedding_renorm": ([(7, 5), (2, 3)], {}),
    "put": ([(2, 3, 5), (4,), (4,)], {}),
    "index_reduce": ([(2, 3, 5), (4,), (2, 4, 5)], {"dim": 1, "reduce": "amax"}),
    "cross": ([(2, 5, 3), (2, 5, 3)], {}),
    "kthvalue": ([(2, 3, 5)], {"k": 2}),
    "histc": ([(2, 3, 5)], {"bins": 4}),
    "bincount": ([(6,)], {"bins": 4}),
    "searchsorted": ([(7,), (2, 3)], {}),
    "multinomial": ([(2, 7)], {"num_samples": 3}),
    "scatter": ([(2, 3, 5), (2, 4, 5), (2, 4, 5)], {"dim": 1}),
    "scatter_add": ([(2, 3, 5), (2, 4, 5), (2, 4, 5)], {"dim": 1}),
    "scatter_reduce": ([(2, 3, 5), (2, 4, 5), (2, 4, 5)], {"dim": 1, "reduce": "sum"}),
    "index_add": ([(2, 3, 5), (4,), (2, 4, 5)], {"dim": 1}),
    "index_copy": ([(2, 3, 5), (4,), (2, 4, 5)], {"dim": 1}),
    "index_fill": ([(2, 3, 5), (2,)], {"dim": 1}),
    "index": ([(2, 3, 5), (4,), (4,)], {"dims": (0, 1)}),
    "index_put": ([(2, 3, 5), (4, 5), (4,), (4,)], {"dims": (0, 1)}),
    "masked_scatter": ([(2, 3, 5), (2, 3, 5), (30,)], {}),
    "masked_select": ([(2, 3, 5), (2, 3, 5)], {"count": 7}),
    "nonzero": ([(2, 3, 5)], {"count": 7}),
    "one_hot": ([(2, 3)], {"classes": 5}),
    "take": ([(2, 3, 5), (4,)], {}),
    "slice_scatter": ([(2, 3, 5), (2, 2, 5)], {"dim": 1}),
    "select_scatter": ([(2, 3, 5), (2, 5)], {"dim": 1}),
    "flip": ([(2, 3, 5)], {"dims": (0, 1)}),
    "view_as_complex": ([(2, 3, 2)], {}),
    "random": ([], {"shape": (3, 5)}),
    "linspace": ([], {"n": 5}),
    "eye": ([], {"n": 3, "m": 5}),
    "pointwise_by_rule": ([(2, 3, 5)], {"of": "aten.igamma", "shape": (2, 3, 5)}),
    "reduction_by_rule": ([(2, 3, 5)], {"of": "aten.nanmedian", "shape": (2, 3)}),
    "move_by_rule": ([(2, 3, 5)], {"of": "aten.rot90", "shape": (2, 5, 3)}),
    "custom": ([(2, 3, 5)], {"of": "lib.scan", "shapes": ((2, 5, 3),), "dtypes": ("float32",)}),
}
OF_INTEGERS = ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "bitwise_left_shift", "bitwise_right_shift")
OF_COMPLEX = ("view_as_real", "conj", "angle", "sgn")
"""Operators that take no other operands."""


def rows(heading: str) -> Iterator[tuple[list[str], list[str]]]:
    """The operators and the first expression of each other cell, of the table below a sentence of the page."""
    table = PAGE.partition(heading)[2].lstrip("\n").partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        cells = line.strip("| ").split(" | ")
        yield (
            re.findall(r"`(\w+)`", cells[0]),
            [found[1] if (found := re.search("`([^`]+)`", c)) else c for c in cells[1:]],
        )


CONTRACTIONS = [(name, cells) for names, cells in rows("with a bias if they take one:") for name in names]
ELEMENTWISE = [(name, cells) for names, cells in rows("per element of the output:") for name in names]
REDUCTIONS = [(name, cells) for names, cells in rows("with weight and bias if they take them:") for name in names]
BYTES = [name for names, _ in rows("Bytes only:") for name in names]

GRADIENTS_ELEMENTWISE = "Gradients per element of the output:"
GRADIENTS = "Gradients of contractions, norms, losses, reductions and lookups:"
GRADIENTS_WITHOUT_ARITHMETIC = "Gradients without arithmetic, g passed on, moved or copied:"
TOGETHER = {("scaled_dot_product_attention", operand) for operand in "qkv"} | {
    ("scaled_dot_product_attention_with_sinks", operand) for operand in ("q", "k", "v", "sinks")
}
TOGETHER |= {("latent_attention", operand) for operand in ("q", "latents")}
TOGETHER |= {("index_reduce", operand) for operand in ("x", "source")}
TOGETHER |= {("scatter_reduce", operand) for operand in ("x", "src")}
"""The operands whose gradients one function states."""


def gradient_rows(heading: str) -> Iterator[tuple[str, str, list[str]]]:
    """Operator, operand and the expressions, of each pair in a table of gradients."""
    table = PAGE.partition(heading)[2].lstrip("\n").partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        operators, operands, *cells = line.strip("| ").split(" | ")
        expressions = [re.findall("`([^`]+)`", cell)[0] for cell in cells]
        for name in re.findall(r"`(\w+)`", operators):
            for operand in re.findall(r"`(\w+)`", operands):
                yield name, operand, expressions


def sample(operator: Operator) -> tuple[list[TensorSpec], dict[str, Any]]:
    shapes, attributes = SAMPLES.get(operator.name, ([(2, 3, 5)] * operator.signature.required, {}))
    dtype = "int64" if operator.name in OF_INTEGERS else "complex64" if operator.name in OF_COMPLEX else "float32"
    dtype = "complex64" if operator.name in ("fft_c2c", "fft_c2r") else dtype
    return [TensorSpec(shape, dtype) for shape in shapes], attributes


def evaluated(expression: str, operator: Operator) -> int:
    """An expression of the tables for the operator's sample."""
    specs, attributes = sample(operator)
    application = operator.apply(specs, attributes)
    names: dict[str, Any] = {
        term.name: spec.elements for term, spec in zip(operator.signature.inputs, specs, strict=False)
    }
    names.update({**application.dims, **attributes})
    names["out"] = application.outputs[0].elements
    names["x"] = specs[0].elements
    names["r"] = prod(specs[0].shape[:-1])
    if operator.name.startswith("convolution"):
        names["taps"] = prod(specs[1].shape[2:])
        names["j"] = specs[1].shape[1]
    if operator.name == "einsum":
        names["last"] = 2 * 3 * 7 * 4  # b s t k of the sample's equation
        names["labels"] = 2 * 3 * 7 * 5 + names["last"]  # b s t d, then b s t k
    if operator.name.startswith("fft"):
        names["log2n"] = 3  # of 8
    if operator.name in ("lstm", "gru", "rnn"):
        names.update(zip("tbi", specs[0].shape, strict=True), h=specs[2].shape[1])
    return int(eval(expression.replace("·", "*"), {"__builtins__": {}}, names))


@each("name, cells", [*CONTRACTIONS, *REDUCTIONS])
def test_formula_of_the_page(name: str, cells: list[str]) -> None:
    """The expressions, evaluated for a sample, are what the operator counts for it."""
    operator = OPERATORS[name]
    specs, attributes = sample(operator)
    cost = operator.apply(specs, attributes).cost
    found = [cost.matmul_flops, cost.vector_flops, cost.transcendentals][3 - len(cells) :]
    assert [evaluated(cell, operator) for cell in cells] == found
    assert len(cells) == 3 or cost.matmul_flops == 0


@each("name, cells", ELEMENTWISE)
def test_factor_of_the_page(name: str, cells: list[str]) -> None:
    """The factors, times the elements of the output, are what the operator counts."""
    specs, attributes = sample(OPERATORS[name])
    application = OPERATORS[name].apply(specs, attributes)
    elements = application.outputs[0].elements
    expected = [int(cell) * elements for cell in cells]
    assert [application.cost.vector_flops, application.cost.transcendentals] == expected
    assert application.cost.matmul_flops == 0


@each("name", BYTES)
def test_bytes_only(name: str) -> None:
    """What the page lists under bytes counts no FLOPs."""
    specs, attributes = sample(OPERATORS[name])
    assert OPERATORS[name].apply(specs, attributes).cost.flops == 0


def gradient(operator: Operator, operand: str) -> list[int]:
    """What the gradient of one operand costs for the sample: matmul FLOPs, vector FLOPs, transcendentals."""
    specs, attributes = sample(operator)
    outputs = operator.apply(specs, attributes).outputs
    values = tuple(Value(f"v{index}", spec) for index, spec in enumerate(specs))
    results = tuple(Value(f"out:{index}", spec) for index, spec in enumerate(outputs))
    place = [term.name for term in operator.signature.inputs].index(operand)
    node = Node("n", operator.name, values, results, attributes)
    found = gradient_work(operator, node, [index == place for index in range(len(values))])
    assert found is not None
    assert found.weight_grad == Work()
    work = found.input_grad
    return [work.matmul_flops, work.vector_flops, work.transcendentals]


@each("name, operand, cells", list(gradient_rows(GRADIENTS)))
def test_gradient_of_the_page(name: str, operand: str, cells: list[str]) -> None:
    """The expressions, evaluated for a sample, are what the operator's gradient counts for it."""
    operator = OPERATORS[name]
    assert [evaluated(cell, operator) for cell in cells] == gradient(operator, operand)


@each("name, operand, cells", list(gradient_rows(GRADIENTS_ELEMENTWISE)))
def test_gradient_factor_of_the_page(name: str, operand: str, cells: list[str]) -> None:
    """The factors, times the elements of the output, are what the operator's gradient counts."""
    operator = OPERATORS[name]
    elements = operator.apply(*sample(operator)).outputs[0].elements
    assert [0, *(int(cell) * elements for cell in cells)] == gradient(operator, operand)


@each("name, operand, cells", list(gradient_rows(GRADIENTS_WITHOUT_ARITHMETIC)))
def test_gradient_without_arithmetic(name: str, operand: str, cells: list[str]) -> None:
    """What the page lists there counts no FLOPs."""
    assert gradient(OPERATORS[name], operand) == [0, 0, 0]


def test_every_gradient_is_listed_once() -> None:
    """A gradient that is stated, contracted or passed through a view has a line in docs/conventions.md."""
    tables = (GRADIENTS_ELEMENTWISE, GRADIENTS, GRADIENTS_WITHOUT_ARITHMETIC)
    listed = [(name, operand) for table in tables for name, operand, _ in gradient_rows(table)]
    stated = {(name, operand) for name, op in OPERATORS.items() for operand in (*op.gradients, *op.contracts)}
    passing = {name: op for name, op in OPERATORS.items() if op.view is True and not op.stops_gradient}
    views = {(name, term.name) for name, op in passing.items() for term in op.signature.inputs}
    expected = {pair for pair in stated if pair[1] != "*"} | views | TOGETHER
    assert sorted(listed) == sorted(expected)


def test_every_operator_is_listed_once() -> None:
    """An operator added to graphacct-operators needs a line in docs/conventions.md, and a sample here."""
    listed = [*[name for name, _ in (*CONTRACTIONS, *ELEMENTWISE, *REDUCTIONS)], *BYTES]
    assert sorted(listed) == sorted(OPERATORS)
