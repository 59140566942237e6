"""Products in which each row has the weight of its own expert."""

import pytest
from graphacct_operators.routing import grouped_linear, grouped_linear_in_out

from graphacct import ShapeError, TensorSpec

ENDS = TensorSpec((4,), "int32")


def f(*shape):
    return TensorSpec(shape)


@pytest.mark.parametrize(
    ("op", "shape"), [(grouped_linear, (7, 5)), (grouped_linear_in_out, (5, 7))], ids=["out_in", "in_out"]
)
@pytest.mark.parametrize("experts", [4, 100])
def test_flops_are_of_the_rows_and_bytes_of_the_experts_that_can_have_one(op, shape, experts):
    """6 rows of 5 by 7 × 5 weights: 2 · 6 · 5 · 7 = 420 FLOPs whatever the experts; the bias adds 6 · 7. It reads 6 · 5
    elements of 4 bytes, an index of 4 for each expert, and min(6, experts) weights and biases of 35 + 7 elements of 4
    bytes."""
    application = op.apply(
        [f(6, 5), f(experts, *shape), TensorSpec((experts,), "int32"), f(experts, 7)], {"per_token": 2}
    )
    assert application.outputs == (f(6, 7),)
    assert (application.cost.matmul_flops, application.cost.vector_flops) == (420, 42)
    assert application.cost.read_bytes == 4 * 30 + 4 * experts + min(6, experts) * 4 * 42
    assert op.apply([f(6, 5), f(experts, *shape), TensorSpec((experts,), "int32")], {}).cost.vector_flops == 0


@pytest.mark.parametrize(
    ("op", "operands", "message"),
    [
        (grouped_linear, [f(6, 5), f(4, 5, 7), ENDS], "dimension k is 5 in x but 7 in weight"),
        (grouped_linear_in_out, [f(6, 5), f(4, 7, 5), ENDS], "dimension k is 5 in x but 7 in weight"),
        (grouped_linear, [f(6, 5), f(4, 7, 5), TensorSpec((3,), "int32")], "dimension e is 4 in weight but 3 in ends"),
        (grouped_linear, [f(6, 5), f(4, 7, 5), ENDS, f(3, 7)], "dimension e is 4 in weight but 3 in bias"),
    ],
)
def test_misfits_name_the_dimension(op, operands, message):
    """Each is a ShapeError with both values."""
    with pytest.raises(ShapeError) as error:
        op.apply(operands, {})
    assert message in str(error.value)
