"""Arithmetic on every element: the count follows the broadcast output, and the factors are the documented ones."""

import pytest
from graphacct_operators import activation
from graphacct_operators.elementwise import add, dropout, masked_fill, mul, power, rotary_embedding, where

from graphacct import OperatorError, ShapeError, TensorSpec


def f(*shape):
    return TensorSpec(shape)


def test_operands_broadcast_as_in_numpy():
    """(2, 1, 4) and (3, 1) give (2, 3, 4): 24 additions, 8 + 3 elements read, 24 written."""
    application = add.apply([f(2, 1, 4), f(3, 1)], {})
    assert application.outputs == (f(2, 3, 4),)
    assert application.cost.vector_flops == 24
    assert (application.cost.read_bytes, application.cost.write_bytes) == (4 * 11, 4 * 24)
    assert application.cost.matmul_flops == 0


@pytest.mark.parametrize(
    ("name", "flops", "transcendentals"),
    [
        ("relu", 1, 0),
        ("leaky_relu", 2, 0),
        ("relu6", 2, 0),
        ("elu", 4, 1),
        ("sigmoid", 4, 1),
        ("hardsigmoid", 4, 0),
        ("tanh", 1, 1),
        ("gelu", 5, 1),
        ("gelu_tanh", 9, 1),
        ("gelu_new", 9, 1),
        ("gelu_fast", 9, 1),
        ("gelu_python", 5, 1),
        ("quick_gelu", 6, 1),
        ("silu", 4, 1),
        ("hardswish", 5, 0),
        ("softplus", 3, 2),
        ("mish", 5, 3),
    ],
)
def test_activation_factors(name, flops, transcendentals):
    """Per element of a (2, 5) tensor, the operations that each docstring spells out one by one."""
    cost = getattr(activation, name).apply([f(2, 5)], {}).cost
    assert (cost.vector_flops, cost.transcendentals) == (10 * flops, 10 * transcendentals)


@pytest.mark.parametrize(
    ("gate", "inner"), [("swiglu", "silu"), ("geglu", "gelu"), ("geglu_tanh", "gelu_tanh")], ids=lambda name: name
)
def test_gate_is_its_activation_and_a_product(gate, inner):
    """A gate costs its activation and one product per element."""
    cost = getattr(activation, gate).apply([f(2, 5), f(2, 5)], {}).cost
    apart = getattr(activation, inner).apply([f(2, 5)], {}).cost + mul.apply([f(2, 5), f(2, 5)], {}).cost
    assert (cost.vector_flops, cost.transcendentals) == (apart.vector_flops, apart.transcendentals)


@pytest.mark.parametrize(("exponent", "flops", "transcendentals"), [(2, 10, 0), (3, 20, 0), (4, 10, 10), (0.5, 10, 10)])
def test_powers(exponent, flops, transcendentals):
    """A square is 1 product, a cube 2, any other power 1 transcendental, on each of 10 elements."""
    cost = power.apply([f(2, 5)], {"exponent": exponent}).cost
    assert (cost.vector_flops, cost.transcendentals) == (flops, transcendentals)


def test_dropout_counts_only_when_it_drops():
    """2 per element of 10 at p = 0.1, nothing at p = 0; p must be said."""
    assert dropout.apply([f(2, 5)], {"p": 0.1}).cost.vector_flops == 20
    assert dropout.apply([f(2, 5)], {"p": 0.0}).cost.vector_flops == 0
    with pytest.raises(OperatorError, match="needs the attribute 'p'"):
        dropout.apply([f(2, 5)], {})


def test_a_mask_is_read_at_one_byte_per_element():
    """A bool mask of (4, 4) beside scores of (2, 4, 4): 32 selections, 4 · 32 + 16 bytes read."""
    application = masked_fill.apply([f(2, 4, 4), TensorSpec((4, 4), "bool")], {})
    assert application.outputs == (f(2, 4, 4),)
    assert application.cost.vector_flops == 32
    assert application.cost.read_bytes == 4 * 32 + 16


def test_where_gives_the_dtype_of_what_it_chooses_from():
    """The bool condition decides, it is not the result."""
    half = TensorSpec((4,), "bfloat16")
    assert where.apply([TensorSpec((4,), "bool"), half, half], {}).outputs == (half,)


def test_rotary_embedding_of_gpt2_size():
    """3 per element: 12 heads of 64 at 1,024 positions are 786,432 elements, so 2,359,296."""
    assert rotary_embedding.apply([f(1, 12, 1024, 64), f(1024, 64), f(1024, 64)], {}).cost.vector_flops == 2_359_296


@pytest.mark.parametrize(
    ("op", "operands", "message"),
    [
        (add, [f(2, 3), f(2, 4)], "[2, 4] of y does not broadcast with [2, 3] (3 against 4)"),
        (rotary_embedding, [f(1, 2, 8, 4), f(8, 4), f(7, 4)], "dimension s is 8 in x but 7 in sin"),
        (rotary_embedding, [f(1, 2, 8, 4), f(8, 4), f(8, 2)], "dimension r is 4 in cos but 2 in sin"),
        (activation.gelu, [f(2), f(2)], "takes 1 operands, not 2"),
    ],
)
def test_operands_that_do_not_fit(op, operands, message):
    """Each misfit is a ShapeError that names the dimension and both values."""
    with pytest.raises(ShapeError) as error:
        op.apply(operands, {})
    assert message in str(error.value)
