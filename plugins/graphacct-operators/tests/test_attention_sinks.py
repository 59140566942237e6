"""Fused attention with sinks: the same products, and a score more in each row of the softmax."""

import graphacct_operators
import pytest

from graphacct import Node, ShapeError, TensorSpec, Value, Work
from graphacct.training.gradients import gradient_work

OPERATORS = {op.name: op.load() for op in graphacct_operators.graphacct_register_operators()}
PLAIN, SINKS = (OPERATORS[f"scaled_dot_product_attention{end}"] for end in ("", "_with_sinks"))
B, H, G, S, T, D, E = 2, 4, 2, 3, 5, 6, 7
ROWS = B * H * S


def f(*shape):
    return TensorSpec(shape)


HEADS = [f(B, H, S, D), f(B, G, T, D), f(B, G, T, E)]


def gradients(op, operands, attributes):
    values = [Value(f"v{place}", spec) for place, spec in enumerate(operands)]
    outputs = [Value("out", spec) for spec in op.apply(operands, attributes).outputs]
    return gradient_work(op, Node("n", op.name, values, outputs, attributes), [True] * len(values))


@pytest.mark.parametrize("rest", [[], [f(S, T)]], ids=["without a mask", "with a mask"])
@pytest.mark.parametrize("attributes", [{}, {"dropout_p": 0.1, "scale": 1}], ids=str)
def test_a_sink_is_one_score_more_in_each_row(rest, attributes):
    """5 for the softmax of the sink, one of them an exp; going back 2 for its gradient, and 2 for its weight again."""
    plain, sinks = [*HEADS, *rest], [*HEADS, f(H), *rest]
    without, with_them = PLAIN.apply(plain, attributes), SINKS.apply(sinks, attributes)
    assert with_them.outputs == without.outputs
    assert with_them.cost.matmul_flops == without.cost.matmul_flops
    assert with_them.cost.vector_flops - without.cost.vector_flops == 5 * ROWS
    assert with_them.cost.transcendentals - without.cost.transcendentals == ROWS
    assert with_them.cost.read_bytes - without.cost.read_bytes == 4 * H
    less, more = (gradients(op, given, attributes) for op, given in ((PLAIN, plain), (SINKS, sinks)))
    assert more.input_grad == less.input_grad.plus(Work(vector_flops=2 * ROWS))
    assert more.recompute == less.recompute.plus(Work(vector_flops=2 * ROWS, transcendentals=ROWS))


def test_each_query_head_has_a_sink():
    """As many sinks as query heads, not as heads of keys."""
    with pytest.raises(ShapeError, match="dimension h is 4 in q but 2 in sinks"):
        SINKS.apply([*HEADS, f(G)], {})
