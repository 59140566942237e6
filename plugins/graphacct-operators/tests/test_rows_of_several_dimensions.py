"""layer_norm and rms_norm over more than the last dimension, as nn.LayerNorm((4, 16)) is.

Measured with torch 2.13 on a CPU: nn.LayerNorm((4, 16)) of (3, 4, 16) keeps mean and rstd of (3, 1, 1)."""

import pytest
from graphacct_operators.normalization import layer_norm, rms_norm

from graphacct import Builder, Node, ShapeError, TensorSpec, Value, Work, account
from graphacct.operators.saves import saved_tensors
from graphacct.training.gradients import gradient_work

X, WEIGHT = TensorSpec((3, 4, 16)), TensorSpec((4, 16))
WIDE = {"normalized_shape": (4, 16)}


def work(op, operands, **attributes):
    cost = op.apply(operands, attributes).cost
    return cost.vector_flops, cost.transcendentals


def test_a_row_has_all_the_dimensions_of_the_weight():
    """192 elements in 3 rows of 64, not 12 of 16: 5 · 192 + 4 · 3 = 972, and 192 more each for weight and bias."""
    assert work(layer_norm, [X, WEIGHT]) == (6 * 192 + 4 * 3, 3) == (1164, 3)
    assert work(layer_norm, [X, WEIGHT, WEIGHT]) == (1356, 3)
    assert work(layer_norm, [X], **WIDE) == (972, 3)
    assert work(layer_norm, [X, WEIGHT], **WIDE) == (1164, 3)
    assert work(rms_norm, [X, WEIGHT]) == (4 * 192 + 3 * 3, 3)
    assert work(rms_norm, [X], **WIDE) == (3 * 192 + 3 * 3, 3)
    assert work(layer_norm, [X]) == (5 * 192 + 4 * 12, 12)


@pytest.mark.parametrize(("op", "expected"), [(layer_norm, 10 * 192 + 2 * 3), (rms_norm, 7 * 192 + 3)])
def test_gradients_count_the_same_rows(op, expected):
    """Per row 2 divisions for layer_norm and 1 for rms_norm."""
    values = (Value("x", X), Value("w", WEIGHT))
    found = gradient_work(op, Node("n", op.name, values, (Value("y", X),), {}), [True, False])
    assert found.input_grad == Work(vector_flops=expected)


@pytest.mark.parametrize(("operands", "attributes"), [([X, WEIGHT], {}), ([X], WIDE)])
def test_a_statistic_is_kept_for_each_row(operands, attributes):
    """(3, 1, 1), as torch has it."""
    kept = {item.name: item.spec.shape for item in saved_tensors(layer_norm, operands, attributes)}
    assert kept["mean"] == kept["rstd"] == (3, 1, 1)
    assert {item.spec.shape for item in saved_tensors(rms_norm, operands, attributes) if item.name == "rstd"} == {
        (3, 1, 1)
    }


@pytest.mark.parametrize("operator", ["layer_norm", "rms_norm"])
@pytest.mark.parametrize("profile", ["torch-eager-cuda", "torch-eager-cpu"])
def test_profiles_run_it_over_those_dimensions(operator, profile):
    """On CUDA the statistics of 3 rows are kept; torch's chain of kernels for RMSNorm means over both dimensions."""
    b = Builder("norm")
    x = b.apply("add", b.input("x", (3, 4, 16)), b.parameter("shift", (16,)))
    graph = b.graph(b.apply("sum", b.apply(operator, x, b.parameter("weight", (4, 16)))))
    found = account(graph, phase="train", profile=profile).total["saved_bytes"]
    statistics = {"layer_norm": 2, "rms_norm": 1}[operator]
    if operator == "layer_norm" or profile == "torch-eager-cuda":
        assert found == 4 * (192 + statistics * 3)
    else:  # x, rsqrt's output and the normalised x
        assert found == 4 * (192 + 3 + 192)


@pytest.mark.parametrize(
    ("operands", "attributes", "message"),
    [
        ([X, TensorSpec((3, 16))], {}, "weight [3, 16] is not the last dimensions of x [3, 4, 16]"),
        ([X], {"normalized_shape": (4, 8)}, "normalized_shape [4, 8] is not the last dimensions of x [3, 4, 16]"),
        ([X], {"normalized_shape": (1, 3, 4, 16)}, "is not the last dimensions of x [3, 4, 16]"),
        ([X, TensorSpec((16,))], WIDE, "normalized_shape [4, 16] is not that of weight, [16]"),
    ],
)
def test_a_shape_that_x_does_not_end_with(operands, attributes, message):
    """The error names both shapes."""
    with pytest.raises(ShapeError) as error:
        layer_norm.apply(operands, attributes)
    assert message in str(error.value)
