"""Where new tensors lie in memory."""

import pytest

from graphacct import Builder, TensorSpec, dense_like
from graphacct.hooks.manager import default


@pytest.mark.parametrize(
    ("shape", "strides", "expected"),
    [
        ((2, 3, 4), None, None),
        ((2, 4, 3, 5), (60, 5, 20, 1), (60, 5, 20, 1)),  # heads of a projection: (2, 3, 4, 5) turned
        ((2, 4, 3, 5), (180, 5, 60, 1), (60, 5, 20, 1)),  # of a third of a joint one: without its gaps
        ((2, 3), (6, 2), None),  # every other element of a row
        ((2, 3), (0, 1), None),  # a row, repeated
        ((1, 2, 3), (6, 1, 2), (6, 1, 2)),  # one matrix, turned
    ],
)
def test_a_new_tensor_has_the_order_of_the_old_one_and_no_gaps(shape, strides, expected):
    """As torch's empty_like and its element-wise kernels make it."""
    assert dense_like(TensorSpec(shape, "float32", strides)).strides == expected


def test_the_order_is_that_of_symbols_too():
    """Strides that are products of symbols: one that another divides is the larger one."""
    sympy = pytest.importorskip("sympy")
    b, h, s, d = sympy.symbols("b h s d", integer=True, positive=True)
    turned = TensorSpec((b, h, s, d), "float32", (h * s * d, d, h * d, 1))
    assert dense_like(turned, "bfloat16") == TensorSpec((b, h, s, d), "bfloat16", (h * s * d, d, h * d, 1))


def graph_of(operator, **attributes):
    b = Builder("turned", default().operators)
    turned = b.apply("transpose", b.input("x", (3, 4)), dims=(0, 1))
    return b.apply(operator, turned, **attributes)


def test_element_wise_results_keep_their_operands_order():
    """A sum of a turned matrix is turned, the softmax of its rows is not, and a sum in the other's order has that."""
    assert graph_of("gelu").spec.strides == (1, 4)
    assert graph_of("softmax").spec.strides is None
    b = Builder("two", default().operators)
    plain, turned = b.input("x", (4, 3)), b.apply("transpose", b.input("y", (3, 4)), dims=(0, 1))
    assert b.apply("add", plain, turned).spec.strides is None
    assert b.apply("add", turned, plain).spec.strides == (1, 4)
    assert b.apply("mul", b.input("row", (3,)), turned).spec.strides == (1, 4), "the first of the result's shape"


def test_rotary_positions_keep_it_where_they_are_composed():
    """x * cos + rotated(x) * sin lies as x does; halves written into a new tensor are row-major."""
    b = Builder("rope", default().operators)
    x = b.apply("transpose", b.input("x", (1, 5, 2, 4)), dims=(1, 2))
    cos, sin = b.input("cos", (5, 4)), b.input("sin", (5, 4))
    assert b.apply("rotary_embedding", x, cos, sin).spec.strides is None
    assert b.apply("rotary_embedding", x, cos, sin, composed=True).spec.strides == (40, 4, 8, 1)


def test_what_is_held_longest_counts():
    """A value that a function holds stays as long as the outermost of the functions that hold it."""
    b = Builder("held", default().operators)
    x = b.apply("relu", b.input("x", (4,)), name="first")
    with b.scope("outer"):
        b.hold(x)
        with b.scope("inner"):
            b.hold(x)
            y = b.apply("relu", x, name="second")
        b.hold(y, until="third")
        z = b.apply("relu", y, name="third")
    graph = b.graph(z)
    assert dict(graph.held) == {"first": "outer", "outer.inner.second": "outer.third"}
