"""LSTM, GRU and the plain recurrent layer: products of all steps, layers and directions, gradients, what is kept."""

import pytest
from graphacct_operators.recurrent import gru, lstm, rnn

from graphacct import Builder, GraphacctError, Node, TensorSpec, Value, Work, account
from graphacct.operators.saves import saved_tensors
from graphacct.training.gradients import gradient_work

GATES = {lstm: 4, gru: 3, rnn: 1}


def f(*shape):
    return TensorSpec(shape)


def weights(op, inputs, hidden, out=None, bias=True, projected=False):
    rows = GATES[op] * hidden
    biases = [f(rows), f(rows)] if bias else []
    return [f(rows, inputs), f(rows, out or hidden), *biases, *([f(out, hidden)] if projected else [])]


def cost(op, operands, **attributes):
    found = op.apply(operands, attributes).cost
    return found.matmul_flops, found.vector_flops, found.transcendentals


def gradients(op, operands, wanted, **attributes):
    values = tuple(Value(f"v{place}", spec) for place, spec in enumerate(operands))
    outputs = tuple(Value(f"out:{i}", spec) for i, spec in enumerate(op.apply(operands, attributes).outputs))
    found = gradient_work(op, Node("n", op.name, values, outputs, attributes), wanted)
    return found.input_grad


def two_layers(**attributes):
    """A bidirectional LSTM of two layers, batch 3 first, 7 steps, 12 inputs and 10 units, as torch's cases have it."""
    of_first, of_second = weights(lstm, 12, 10), weights(lstm, 20, 10)
    operands = [f(3, 7, 12), *of_first, *of_first, *of_second, *of_second]
    return operands, {"num_layers": 2, "bidirectional": True, "batch_first": True, **attributes}


def test_an_lstm_without_biases():
    """100 steps of 64 inputs and 64 units: 2 · 100 · 256 · (64 + 64) = 6,553,600 FLOPs in products; 22 per unit and
    step, 5 of them transcendental."""
    operands = [f(100, 1, 64), *weights(lstm, 64, 64, bias=False)]
    assert cost(lstm, operands) == (6_553_600, 22 * 6400, 5 * 6400)
    assert sum(spec.elements for spec in operands[1:]) == 32_768
    assert sum(spec.elements for spec in weights(lstm, 64, 64)) == 33_280
    assert lstm.apply(operands, {}).outputs == (f(100, 1, 64),)


@pytest.mark.parametrize(
    ("op", "flops", "expected"),
    [
        (lstm, 22 + 8, (2 * 6 * 28 * 12, 5)),
        (gru, 16 + 6, (2 * 6 * 21 * 12, 3)),
        (rnn, 2 + 2, (2 * 6 * 7 * 12, 1)),
    ],
)
def test_the_three_layers(op, flops, expected):
    """3 steps of batch 2, 5 inputs, 7 units: 2 · 6 rows · gates · 7 · (5 + 7); 42 units of all rows."""
    operands = [f(3, 2, 5), *weights(op, 5, 7)]
    matmul, special = expected
    assert cost(op, operands) == (matmul, flops * 42, special * 42)


def test_relu_is_not_transcendental():
    """1 comparison instead of a tanh, and 1 instead of 3 in the backward pass."""
    operands = [f(3, 2, 5), *weights(rnn, 5, 7)]
    assert cost(rnn, operands, nonlinearity="relu") == (2 * 6 * 7 * 12, 4 * 42, 0)
    back = [gradients(rnn, operands, [True] + [False] * 4, nonlinearity=kind).vector_flops for kind in ("tanh", "relu")]
    assert back == [4 * 42, 2 * 42]


def test_layers_and_directions():
    """2 · 21 rows · 40 · (12 + 10) for each direction of the first layer, · (20 + 10) of the second: 174,720, what
    torch's counter sees of the layer written out (mkldnn off)."""
    operands, attributes = two_layers()
    assert cost(lstm, operands, **attributes)[0] == 2 * 21 * 40 * 2 * (22 + 30) == 174_720
    outputs = lstm.apply(operands, {**attributes, "states": True}).outputs
    assert outputs == (f(3, 7, 20), f(4, 3, 10), f(4, 3, 10))


def test_a_projection_of_the_output():
    """5 steps of batch 2, 3 inputs, 4 units projected to 2: 2 · 10 · 16 · (3 + 2) + 2 · 10 · 4 · 2 = 1,760."""
    operands = [f(5, 2, 3), *weights(lstm, 3, 4, 2, projected=True)]
    assert cost(lstm, operands)[0] == 1760
    assert lstm.apply(operands, {"states": True}).outputs == (f(5, 2, 2), f(1, 2, 2), f(1, 2, 4))


def test_without_a_batch():
    """(steps, inputs) is one sequence."""
    operands = [f(5, 3), *weights(gru, 3, 4)]
    assert gru.apply(operands, {"states": True, "batch_first": True}).outputs == (f(5, 4), f(1, 4))
    assert cost(gru, operands) == cost(gru, [f(5, 1, 3), *weights(gru, 3, 4)])


def test_dropout_between_layers():
    """2 per output of the first layer, which is 20 wide; 1 more in the backward pass, and a mask of bools."""
    operands, attributes = two_layers()
    more = cost(lstm, operands, **attributes, dropout=0.1)[1] - cost(lstm, operands, **attributes)[1]
    assert more == 2 * 21 * 20
    everything = [True] * len(operands)
    back = [gradients(lstm, operands, everything, **attributes, **d).vector_flops for d in ({"dropout": 0.1}, {})]
    assert back[0] - back[1] == 21 * 20
    kept = saved_tensors(lstm, operands, {**attributes, "dropout": 0.1})
    assert [(item.spec.shape, item.spec.dtype) for item in kept if item.name == "masks"] == [((3, 7, 20), "bool")]


def test_a_training_step_is_what_torch_runs():
    """Everything wanted: as many FLOPs as forward for all weights and all inputs, but the gradient through the first of
    7 steps, whose state has none: 2 · 174,720 - 4 · 2 · 3 · 40 · 10 = 339,840. With the head, 360 FLOPs thrice, torch's
    counter sees 515,640 of the layer written out (mkldnn off)."""
    operands, attributes = two_layers()
    found = gradients(lstm, operands, [True] * len(operands), **attributes)
    assert found.matmul_flops == 2 * 174_720 - 4 * 2 * 3 * 40 * 10 == 339_840
    assert 174_720 + 339_840 + 3 * 360 == 515_640
    assert found.vector_flops == 23 * 4 * 21 * 10 + 8 * 21 * 40  # 4 directions; 8 biases


def test_the_first_state_has_a_gradient_too():
    """h and c of every layer and direction, before the weights: one step more goes back to h."""
    operands, attributes = two_layers(initial_states=True)
    operands[1:1] = [f(4, 3, 10), f(4, 3, 10)]
    assert cost(lstm, operands, **attributes)[0] == 174_720
    assert gradients(lstm, operands, [True] * len(operands), **attributes).matmul_flops == 2 * 174_720


def test_what_is_not_wanted_is_not_computed():
    """With the first layer frozen, and x without a gradient, nothing goes below the second: its weights, 2 · 21 · 40 ·
    (20 + 10) for each direction, and 6 of 7 steps back."""
    operands, attributes = two_layers()
    wanted = [False] + [False] * 8 + [True] * 8
    expected = 2 * (2 * 21 * 40 * (20 + 10) + 2 * 18 * 40 * 10)
    assert gradients(lstm, operands, wanted, **attributes).matmul_flops == expected
    only_a_bias = [False] * 11 + [True] + [False] * 5
    assert gradients(lstm, operands, only_a_bias, **attributes).matmul_flops == 2 * 2 * 18 * 40 * 10


def test_what_is_kept():
    """x, the weights, the output, the first layer's, and gates and cells of every step of each direction."""
    operands, attributes = two_layers()
    kept = [(item.name, item.spec.shape) for item in saved_tensors(lstm, operands, attributes)]
    assert [shape for name, shape in kept if name == "gates"] == [(3, 7, 40)] * 4
    assert [shape for name, shape in kept if name == "cells"] == [(3, 7, 10)] * 4
    assert [shape for name, shape in kept if name == "inner"] == [(3, 7, 20)]
    assert {"x", "tensors", "out"} <= {name for name, _ in kept}
    assert [item.name for item in saved_tensors(rnn, [f(3, 2, 5), *weights(rnn, 5, 7)]) if item.kind == "own"] == []


def test_a_step_of_training_in_a_graph():
    """The layer's step is forward and backward; the graph's input has no gradient, so the first layer's x has none."""
    b = Builder("net")
    own = [b.parameter(name, spec.shape) for name, spec in zip("abcd", weights(lstm, 5, 7), strict=True)]
    graph = b.graph(b.apply("sum", b.apply("lstm", b.input("x", (3, 2, 5)), *own)))
    total = account(graph, phase="train").total
    forward = 2 * 6 * 28 * 12
    assert total["step_matmul_flops"] == forward + (forward + 2 * 4 * 28 * 7)


@pytest.mark.parametrize(
    ("op", "operands", "attributes", "message"),
    [
        (
            lstm,
            [f(3, 5), f(28, 5)],
            {},
            "has 1 weights for 1 layers in 1 directions: each has weight_ih, weight_hh, with",
        ),
        (gru, [f(3, 2, 5), f(21, 5), f(21, 7), f(7, 7)], {}, "has 3 weights for 1 layers"),
        (lstm, [f(3, 2, 5), f(28, 4), f(28, 7)], {}, "layer 0 is given 5 inputs, but its weight_ih is [28, 4]"),
        (
            lstm,
            [f(3, 2, 5), f(27, 5), f(27, 7)],
            {},
            "weight_ih of layer 0 has 27 rows, which do not divide into 4 gates",
        ),
        (gru, [f(3, 2, 5), f(21, 5), f(21, 6)], {}, "weight_hh of layer 0 is [21, 6]; 21 rows of 7 units fit"),
        (lstm, [f(3, 2, 5), f(28, 5), f(28, 3), f(4, 7)], {}, "weight_hr of layer 0 is [4, 7]; 3 rows of 7 fit"),
        (
            rnn,
            [f(3, 2, 5), f(1, 7), f(7, 5), f(7, 7)],
            {"initial_states": True},
            "an initial state is [1, 7]; it has 1 x 2",
        ),
        (rnn, [f(3, 2, 5), f(7, 5), f(7, 7)], {"nonlinearity": "gelu"}, "nonlinearity is 'tanh' or 'relu', not 'gelu'"),
        (
            rnn,
            [f(3, 2, 5), f(7, 5), f(7, 7)],
            {"num_layers": 0},
            "num_layers must be a whole number of at least 1, not 0",
        ),
        (rnn, [f(4, 3, 2, 5), f(7, 5), f(7, 7)], {}, "x has 4 dimensions; it is (steps, batch, inputs)"),
        (gru, [f(4, 5), f(21, 5), f(21, 7), f(20), f(21)], {}, "bias_ih of layer 0 is [20]; one of 21 elements fits"),
    ],
)
def test_operands_that_do_not_fit(op, operands, attributes, message):
    """Each error names the layer, the weight and the sizes."""
    with pytest.raises(GraphacctError) as error:
        op.apply(operands, attributes)
    assert message in str(error.value)


def test_nothing_wanted_is_no_work():
    """A layer of frozen weights on an input without a gradient."""
    operands = [f(3, 2, 5), *weights(rnn, 5, 7)]
    assert gradients(rnn, operands, [False] * 5) == Work()
