"""Comparisons, logic, and arithmetic of integers: what is a FLOP and what is bytes."""

import pytest
from graphacct_operators import arithmetic, comparison, elementwise, logic, shrinking, statistics
from graphacct_operators.elementary import exp
from graphacct_operators.reduction import all_, cumsum, sum_

from graphacct import OperatorError, ShapeError, TensorSpec


def f(*shape):
    return TensorSpec(shape)


def i(*shape):
    return TensorSpec(shape, "int64")


def m(*shape):
    return TensorSpec(shape, "bool")


@pytest.mark.parametrize("name", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_a_comparison_of_floats_is_one_flop_and_gives_a_bool(name):
    """(2, 1, 4) with (3, 1) is 24 comparisons, 1 byte written for each; with a number as many as x has elements."""
    op = getattr(comparison, name)
    cost = op.apply([f(2, 1, 4), f(3, 1)], {}).cost
    assert (cost.vector_flops, cost.write_bytes) == (24, 24)
    assert op.apply([f(2, 4)], {}).outputs == (m(2, 4),)
    assert op.apply([f(2, 4)], {}).cost.vector_flops == 8


@pytest.mark.parametrize(
    ("op", "operands", "attributes"),
    [
        (comparison.eq, [i(2, 4)], {}),
        (comparison.le, [i(4), i(2, 1)], {}),
        (elementwise.add, [i(2, 4), i(4)], {}),
        (elementwise.mul, [m(2, 4), i(4)], {}),
        (elementwise.where, [m(2, 4), i(2, 4), i(4)], {}),
        (elementwise.masked_fill, [i(2, 4), m(2, 4)], {}),
        (elementwise.clamp, [i(2, 4)], {}),
        (arithmetic.floor_divide, [i(2, 4)], {}),
        (logic.logical_and, [m(2, 4), m(4)], {}),
        (logic.bitwise_not, [m(2, 4)], {}),
        (cumsum, [i(2, 4)], {}),
        (sum_, [m(2, 4)], {"dtype": "int64"}),
        (all_, [m(2, 4)], {"dim": 1}),
    ],
)
def test_integers_and_bools_are_bytes(op, operands, attributes):
    """Operands and results without a float: no FLOPs, and the bytes are counted."""
    cost = op.apply(operands, attributes).cost
    assert (cost.flops, cost.transcendentals) == (0, 0)
    assert cost.read_bytes == sum(operand.bytes for operand in operands)


@pytest.mark.parametrize(
    ("op", "operands", "attributes", "dtype"),
    [
        (elementwise.add, [i(4), TensorSpec((4,), "int32")], {}, "int64"),
        (elementwise.add, [m(4), TensorSpec((4,), "uint8")], {}, "uint8"),
        (elementwise.add, [TensorSpec((4,), "uint8"), TensorSpec((4,), "int8")], {}, "int16"),
        (elementwise.add, [TensorSpec((4,), "int32"), TensorSpec((), "int64")], {}, "int32"),
        (elementwise.add, [m(4), m(4)], {}, "bool"),
        (elementwise.mul, [i(4), TensorSpec((), "float32")], {}, "float32"),
        (elementwise.div, [i(4), i(4)], {}, "float32"),
        (exp, [i(4)], {}, "float32"),
        (exp, [TensorSpec((4,), "bfloat16")], {}, "bfloat16"),
        (elementwise.scale, [i(4)], {"dtype": "float32"}, "float32"),
        (elementwise.scale, [i(4)], {}, "int64"),
    ],
)
def test_dtypes_promote_as_in_torch(op, operands, attributes, dtype):
    """Integers to the wider one, a quotient and a function to float32, a number to the dtype that it makes."""
    assert op.apply(operands, attributes).outputs[0].dtype == dtype


def test_integers_that_give_floats_are_flops():
    """4 ids times 0.5 are 4 products of floats; 4 exponentials too."""
    assert elementwise.scale.apply([i(4)], {"dtype": "float32"}).cost.vector_flops == 4
    assert exp.apply([i(4)], {}).cost.transcendentals == 4


def test_bits_of_floats_are_refused():
    """As torch refuses them."""
    with pytest.raises(OperatorError, match="takes integers and bools, not float32: compare it with a number first"):
        logic.bitwise_and.apply([m(4), f(4)], {})


@pytest.mark.parametrize(
    ("order", "flops", "transcendentals"),
    [(2, 48 + 4, 4), (1, 48, 0), (0, 48, 0), (float("inf"), 48, 0), (3, 72 + 4, 24 + 4)],
)
def test_norms(order, flops, transcendentals):
    """Of 4 rows of 6: 2 per element and a root per row; any other order has a power per element."""
    cost = statistics.vector_norm.apply([f(4, 6)], {"dim": 1, "ord": order}).cost
    assert (cost.vector_flops, cost.transcendentals) == (flops, transcendentals)


def test_halves():
    """glu of (3, 8) is (3, 4): 5 per output element; an odd dimension has no halves."""
    assert shrinking.glu.apply([f(3, 8)], {}).outputs == (f(3, 4),)
    assert shrinking.glu.apply([f(3, 8)], {}).cost.vector_flops == 5 * 12
    with pytest.raises(ShapeError, match="dimension 1 of x is 7, which has no two equal halves"):
        shrinking.glu.apply([f(3, 7)], {})
