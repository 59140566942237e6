"""Complex numbers: views of pairs, and what their arithmetic counts."""

import pytest
from graphacct_operators.complex_numbers import complex_, polar, view_as_complex, view_as_real
from graphacct_operators.custom import custom
from graphacct_operators.elementwise import add, div, mul, scale, sub
from graphacct_operators.matmul import linear, matmul
from graphacct_operators.products import mv

from graphacct import Node, ShapeError, TensorSpec, Value, Work
from graphacct.training.gradients import gradient_work


def c(*shape):
    return TensorSpec(shape, "complex64")


def f(*shape):
    return TensorSpec(shape)


def test_pairs_are_views():
    """(2, 3) complex numbers are (2, 3, 2) real ones on the same 48 bytes, and back; a transpose keeps its strides."""
    found = view_as_real.apply([c(2, 3)], {})
    assert (found.view, found.outputs) == (True, (f(2, 3, 2),))
    assert view_as_complex.apply([f(2, 3, 2)], {}).outputs == (c(2, 3),)
    turned = TensorSpec((3, 2), "complex64", (1, 3))
    real = view_as_real.apply([turned], {}).outputs[0]
    assert real.strides == (2, 6, 1)
    assert view_as_complex.apply([real], {}).outputs == (turned,)


def test_arithmetic_is_of_both_parts():
    """6 numbers: a sum is 2 each, a product 4 products and 2 sums; of real ones 1."""
    for op, each in ((add, 2), (sub, 2), (mul, 6)):
        assert op.apply([c(2, 3), c(3)], {}).cost.vector_flops == 6 * each
        assert op.apply([f(2, 3), f(3)], {}).cost.vector_flops == 6
    values = [Value("x", c(2, 3)), Value("y", c(3))]
    node = Node("n", "mul", values, [Value("out", c(2, 3))])
    assert gradient_work(mul, node, [True, False]).input_grad == Work(vector_flops=6 * 6)
    assert gradient_work(mul, node, [False, True]).input_grad == Work(vector_flops=6 * 6 + 2 * 6)  # summed over 2 rows


def test_by_parts_and_by_angle():
    """Parts are only written; by length and angle it is cos, sin and two products for each."""
    assert complex_.apply([f(2, 3), f(2, 3)], {}).outputs == (c(2, 3),)
    assert complex_.apply([f(2, 3), f(2, 3)], {}).cost.flops == 0
    cost = polar.apply([f(2, 3), f(2, 3)], {}).cost
    assert (cost.vector_flops, cost.transcendentals, cost.write_bytes) == (24, 12, 48)


def test_what_is_no_pair():
    """The message names the dtype or the dimension."""
    with pytest.raises(ShapeError, match=r"x is \[2, 3\]: the last dimension is 2, the parts of a complex number"):
        view_as_complex.apply([f(2, 3)], {})
    with pytest.raises(ShapeError, match=r"x is float32, not complex \(complex64 or complex128\)"):
        view_as_real.apply([f(2, 3)], {})


def test_a_multiply_add_is_four_of_real_numbers():
    """(2, 3) by (3, 5): 2 · 30 FLOPs of real numbers, 8 · 30 of complex ones, and as much for each gradient; a bias is
    two sums for each of 10 outputs. What a user states is taken as it is."""
    assert matmul.apply([f(2, 3), f(3, 5)], {}).cost.matmul_flops == 60
    assert matmul.apply([c(2, 3), c(3, 5)], {}).cost.matmul_flops == 240
    assert matmul.apply([c(2, 3), c(3, 5)], {}).cost.macs == 120
    node = Node("n", "matmul", [Value("x", c(2, 3)), Value("y", c(3, 5))], [Value("out", c(2, 5))])
    assert gradient_work(matmul, node, [True, False]).input_grad == Work(240)
    assert linear.apply([c(2, 3), c(5, 3), c(5)], {}).cost.vector_flops == 20
    assert mv.apply([c(2, 3), c(3)], {}).cost.matmul_flops == 48
    stated = {"of": "lib.op", "shapes": ((2, 3),), "dtypes": ("complex64",), "matmul_flops": 60}
    assert custom.apply([c(2, 3)], stated).cost.matmul_flops == 60


def test_a_real_factor():
    """2 products for each of 6 numbers; by a complex constant 6. A quotient is 11, and 2 by a real number."""
    assert mul.apply([c(2, 3), f(2, 3)], {}).cost.vector_flops == 12
    assert scale.apply([c(2, 3)], {}).cost.vector_flops == 12
    assert scale.apply([c(2, 3)], {"by_complex": True}).cost.vector_flops == 36
    assert div.apply([c(2, 3), f(2, 3)], {}).cost.vector_flops == 12
    assert div.apply([c(2, 3), c(2, 3)], {}).cost.vector_flops == 66
    values = [Value("x", c(2, 3)), Value("y", f(2, 3))]
    node = Node("n", "mul", values, [Value("out", c(2, 3))])
    assert gradient_work(mul, node, [True, False]).input_grad == Work(vector_flops=12)
    assert gradient_work(mul, node, [False, True]).input_grad == Work(vector_flops=18)
