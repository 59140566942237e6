"""What the functions of an operator's gradients and of its saved tensors may ask for."""

from typing import Any

import pytest

from graphacct import Node, Saved, TensorSpec, Value, Work, operator
from graphacct.errors import SignatureError
from graphacct.operators.saves import saved_tensors
from graphacct.training.gradients import gradient_work


def shared(which: int, wanted: tuple[bool, ...], x: TensorSpec) -> Work:
    """1 per element for each operand, and 10 once, counted with the first that is wanted."""
    return Work(vector_flops=x.elements * (11 if which == wanted.index(True) else 1))


def parts(x: TensorSpec, *, pieces: int = 2) -> list[tuple[Any, ...]]:
    return [(*x.shape[:-1], x.shape[-1] // pieces)] * pieces


@operator(
    "x: ... n, others*: ... -> ... n",
    saves=[
        Saved("parts", "an example of several tensors of its own", parts),
        Saved("row", "an example of one tensor", lambda x: x.shape[:-1], "float32"),
    ],
    gradients={"x": shared, "others": shared},
)
def joined(x: TensorSpec) -> Work:
    """An example: 1 per element."""
    return Work(vector_flops=x.elements)


def test_a_gradient_may_ask_which_it_is_and_whose_are_wanted() -> None:
    """Of three operands of 6 the first wanted has 11 per element, every other 1."""
    values = tuple(Value(name, TensorSpec((2, 3))) for name in "abc")
    node = Node("n", "joined", values, (Value("out", TensorSpec((2, 3))),), {})
    for wanted, expected in (((True, True, True), 13), ((False, True, True), 12), ((False, False, True), 11)):
        found = gradient_work(joined, node, wanted)
        assert found is not None
        assert found.input_grad == Work(vector_flops=6 * expected)


def test_a_formula_may_not() -> None:
    """What a node costs does not depend on whose gradients are wanted."""
    with pytest.raises(SignatureError, match="asks for 'wanted', which is neither a dimension nor an operand"):
        operator("x: n -> n", name="norm")(lambda wanted: Work())


def test_a_function_gives_the_shapes_of_saved_tensors() -> None:
    """One tensor, or a list of them, in the output's dtype unless it says another; it may ask for attributes."""
    x = TensorSpec((2, 6), "bfloat16")
    kept = [(item.name, item.spec) for item in saved_tensors(joined, [x], {"pieces": 3})]
    part, row = TensorSpec((2, 2), "bfloat16"), TensorSpec((2,), "float32")
    assert kept == [("parts", part), ("parts", part), ("parts", part), ("row", row)]
