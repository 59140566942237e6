"""Another library's operators by rule: the tensors as that library said, the arithmetic by a factor."""

import pytest

import graphacct
from graphacct import Builder, OperatorError, TensorSpec
from graphacct.hooks.manager import default
from graphacct.operators.saves import saved_tensors

OPERATORS = default().operators
X = TensorSpec((2, 3))


def applied(name, *operands, **attributes):
    return OPERATORS[name].apply(operands, {"of": "aten.igamma", **attributes})


def test_an_element_wise_one_counts_its_factor_per_output():
    """(2, 3) and (3,) give 6 elements: 1 each unless said; two operands are kept; other outputs are as said."""
    found = applied("pointwise_by_rule", X, TensorSpec((3,)), shape=(2, 3))
    assert (found.outputs, found.cost.vector_flops, found.cost.read_bytes) == ((X,), 6, 4 * 9)
    assert applied("pointwise_by_rule", X, shape=(2, 3), factor=4).cost.vector_flops == 24
    kept = saved_tensors(OPERATORS["pointwise_by_rule"], [X, X], {"of": "aten.igamma", "shape": (2, 3)})
    assert [(tensor.name, tensor.index) for tensor in kept] == [("xs", 0), ("xs", 1)]
    two = applied("pointwise_by_rule", X, shape=(2, 3), more=(((2, 3), "int32"),))
    assert two.outputs == (X, TensorSpec((2, 3), "int32"))


def test_an_element_wise_one_keeps_the_order_of_its_operand():
    """A transposed operand gives a transposed result, as torch's element-wise kernels do."""
    turned = TensorSpec((3, 2), "float32", (1, 3))
    assert applied("pointwise_by_rule", turned, shape=(3, 2), dtype="bfloat16").outputs[0].strides == (1, 3)


def test_integers_are_bytes_by_rule_too():
    """gcd of ids has no FLOPs."""
    ids = TensorSpec((6,), "int64")
    assert applied("pointwise_by_rule", ids, ids, of="aten.gcd", shape=(6,), dtype="int64").cost.flops == 0


def test_a_reduction_counts_its_operand():
    """6 elements to 2: 6; both are kept."""
    found = applied("reduction_by_rule", X, shape=(2,), more=(((2,), "int64"),))
    assert found.cost.vector_flops == 6
    assert found.outputs == (TensorSpec((2,)), TensorSpec((2,), "int64"))
    kept = saved_tensors(OPERATORS["reduction_by_rule"], [X], {"of": "aten.mode", "shape": (2,)})
    assert [tensor.name for tensor in kept] == ["xs", "out"]


def test_what_moves_is_bytes_and_a_view_not_even_those():
    """A copy reads and writes 6 elements; a view shares its operand's storage."""
    cost = applied("move_by_rule", X, shape=(3, 2)).cost
    assert (cost.flops, cost.read_bytes, cost.write_bytes) == (0, 24, 24)
    view = applied("move_by_rule", X, shape=(3, 2), view=True)
    assert view.view
    assert (view.cost.read_bytes, view.cost.activation_bytes) == (0, 0)


def test_a_rule_says_whose_it_is():
    """Without the library's name for it nobody could tell what was costed."""
    with pytest.raises(OperatorError, match="needs the attribute 'of'"):
        OPERATORS["move_by_rule"].apply([X], {"shape": (3, 2)})


def test_a_graph_with_rules_is_saved_and_read(tmp_path):
    """It needs this package alone, and costs the same; gradients are by rule too: 2 per element and operand."""
    b = Builder("rules")
    x = b.apply("linear", b.input("x", (2, 3)), b.parameter("w", (3, 3)), name="fc")
    y = b.apply("pointwise_by_rule", x, name="erfcx", of="aten.special_erfcx", shape=(2, 3))
    graph = b.graph(b.apply("move_by_rule", y, name="rot", of="aten.rot90", shape=(3, 2)))
    graphacct.save(graph, tmp_path / "rules.json")
    report = graphacct.account(str(tmp_path / "rules.json"), phase="train")
    assert report.total["vector_flops"] == 6
    assert report.total["step_flops"] - report.total["step_matmul_flops"] == 6 + 2 * 6
