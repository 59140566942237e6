"""What works on rows: softmax, normalizations, reductions, losses, and reading by index."""

import pytest
from graphacct_operators.embedding import embedding
from graphacct_operators.indexing import argmax, gather, index_pairs, index_select, topk
from graphacct_operators.loss import cross_entropy, mse_loss
from graphacct_operators.normalization import group_norm, layer_norm, rms_norm
from graphacct_operators.reduction import amax, cumsum, mean, sum_
from graphacct_operators.softmax import log_softmax, softmax

from graphacct import GraphacctError, TensorSpec


def f(*shape):
    return TensorSpec(shape)


def i(*shape):
    return TensorSpec(shape, "int64")


def work(op, operands, **attributes):
    cost = op.apply(operands, attributes).cost
    assert cost.matmul_flops == 0
    return cost.vector_flops, cost.transcendentals


def test_softmax_and_its_logarithm():
    """On 6 rows of 5: 5 · 30 = 150 with 30 exp; the logarithm has 6 log more."""
    assert work(softmax, [f(2, 3, 5)]) == (150, 30)
    assert work(log_softmax, [f(2, 3, 5)]) == (156, 36)


def test_softmax_in_another_dtype():
    """bfloat16 scores give a float32 output when asked: 2 bytes read, 4 written for each of 30."""
    application = softmax.apply([TensorSpec((6, 5), "bfloat16")], {"dtype": "float32"})
    assert application.outputs == (f(6, 5),)
    assert (application.cost.read_bytes, application.cost.write_bytes) == (60, 120)


def test_layer_norm():
    """On 6 rows of 5: 5 · 30 + 4 · 6 = 174, and 30 more each for weight and bias; one rsqrt per row."""
    assert work(layer_norm, [f(2, 3, 5)]) == (174, 6)
    assert work(layer_norm, [f(2, 3, 5), f(5)]) == (204, 6)
    assert work(layer_norm, [f(2, 3, 5), f(5), f(5)]) == (234, 6)


def test_rms_norm():
    """On 6 rows of 5: 3 · 30 + 3 · 6 = 108, and 30 more for the weight; one rsqrt per row."""
    assert work(rms_norm, [f(2, 3, 5)]) == (108, 6)
    assert work(rms_norm, [f(2, 3, 5), f(5)]) == (138, 6)


def test_group_norm():
    """2 images, 6 channels in 3 groups, 4 × 5 positions: 7 · 240 + 4 · 2 · 3 = 1,704; one rsqrt per group."""
    assert work(group_norm, [f(2, 6, 4, 5), f(6), f(6)], groups=3) == (1704, 6)
    assert work(group_norm, [f(2, 6, 4, 5)], groups=3) == (5 * 240 + 24, 6)


def test_one_group_is_a_layer_norm_of_all_but_the_batch():
    """Without weights, one group over (6, 20) costs what a layer_norm over 120 costs."""
    assert work(group_norm, [f(2, 6, 20)], groups=1) == work(layer_norm, [f(2, 120)])


def test_embedding_reads_rows_not_the_table():
    """6 ids of 8 bytes and 6 rows of 4 floats from a table of 100: 48 + 96 bytes, not 1,600; no FLOPs."""
    application = embedding.apply([i(2, 3), f(100, 4)], {})
    assert application.outputs == (f(2, 3, 4),)
    assert (application.cost.read_bytes, application.cost.write_bytes, application.cost.flops) == (144, 96, 0)


@pytest.mark.parametrize(
    ("attributes", "shape"),
    [
        ({}, ()),
        ({"dim": 1}, (2, 4)),
        ({"dim": -1, "keepdim": True}, (2, 3, 1)),
        ({"dim": (0, -1)}, (3,)),
        ({"keepdim": True}, (1, 1, 1)),
    ],
)
def test_reductions(attributes, shape):
    """Over 24 elements a sum is 24, as is a maximum; a mean divides once more per output."""
    outputs = TensorSpec(shape)
    for op, extra in ((sum_, 0), (amax, 0), (mean, outputs.elements)):
        application = op.apply([f(2, 3, 4)], attributes)
        assert application.outputs == (outputs,)
        assert application.cost.vector_flops == 24 + extra


def test_running_sums_keep_the_shape():
    """1 addition per element."""
    application = cumsum.apply([f(2, 3)], {"dim": 0})
    assert (application.outputs, application.cost.vector_flops) == ((f(2, 3),), 6)


def test_cross_entropy():
    """6 rows of 5 logits: log_softmax 5 · 30 + 6 = 156, negate 6, sum 6, divide 1: 169; 30 exp and 6 log. Without the
    mean's division 168, without the sum 162."""
    operands = [f(2, 3, 5), i(2, 3)]
    assert work(cross_entropy, operands) == (169, 36)
    assert work(cross_entropy, operands, reduction="sum") == (168, 36)
    assert work(cross_entropy, operands, reduction="none") == (162, 36)
    assert cross_entropy.apply(operands, {}).outputs == (f(),)
    assert cross_entropy.apply(operands, {"reduction": "none"}).outputs == (f(2, 3),)
    assert cross_entropy.apply(operands, {}).cost.read_bytes == 4 * 30 + 8 * 6


def test_mean_squared_error():
    """Over 6 elements: subtract and square 12, sum 6, divide 1."""
    assert work(mse_loss, [f(2, 3), f(2, 3)]) == (19, 0)
    assert work(mse_loss, [f(2, 3), f(2, 3)], reduction="sum") == (18, 0)
    assert work(mse_loss, [f(2, 3), f(2, 3)], reduction="none") == (12, 0)


def test_topk_gives_values_and_indices():
    """1 comparison for each of 20 elements; values in the dtype of x and indices in int64."""
    application = topk.apply([TensorSpec((2, 10), "bfloat16")], {"k": 3})
    assert application.outputs == (TensorSpec((2, 3), "bfloat16"), i(2, 3))
    assert application.cost.vector_flops == 20
    assert application.cost.write_bytes == 6 * 2 + 6 * 8


def test_reading_by_index_reads_what_it_needs():
    """6 indices of 8 bytes and as many elements; 2 indices and two slices of 10 elements. No FLOPs."""
    cost = gather.apply([f(2, 10), i(2, 3)], {"dim": 1}).cost
    assert (cost.read_bytes, cost.write_bytes, cost.flops) == (6 * 8 + 6 * 4, 6 * 4, 0)
    application = index_select.apply([f(7, 10), i(2)], {})
    assert application.outputs == (f(2, 10),)
    assert (application.cost.read_bytes, application.cost.flops) == (2 * 8 + 20 * 4, 0)
    application = index_pairs.apply([f(7, 5, 10), i(2), i(2)], {})
    assert application.outputs == (f(2, 10),)
    assert (application.cost.read_bytes, application.cost.flops) == (2 * 2 * 8 + 20 * 4, 0)


def test_argmax_compares_every_element():
    """1 for each of 20 elements, none for ids; one index of 8 bytes for each row."""
    application = argmax.apply([f(2, 10)], {})
    assert application.outputs == (i(2),)
    assert (application.cost.vector_flops, application.cost.write_bytes) == (20, 2 * 8)
    assert argmax.apply([i(2, 10)], {}).cost.flops == 0


@pytest.mark.parametrize(
    ("op", "operands", "attributes", "message"),
    [
        (layer_norm, [f(2, 5), f(4)], {}, "dimension n is 5 in x but 4 in weight"),
        (group_norm, [f(2, 6, 4)], {"groups": 4}, "dimension c is 6, which does not divide into groups=4"),
        (group_norm, [f(2, 6, 4)], {"groups": 0}, "dimension c is 6, which does not divide into groups=0"),
        (mean, [f(2, 5)], {"dim": 2}, "dimension 2 is out of range for 2 dimensions"),
        (cross_entropy, [f(2, 3, 5), i(2, 4)], {}, "[2, 4] of targets does not broadcast with [2, 3] (3 against 4)"),
        (cross_entropy, [f(2, 5), i(2)], {"reduction": "max"}, "reduction is 'mean', 'sum' or 'none', not 'max'"),
        (mse_loss, [f(2, 5), f(2, 4)], {}, "dimensions shape are [2, 5] in x but [2, 4] in y"),
        (topk, [f(2, 5)], {"k": 6}, "k is 6, but dimension n of x has 5"),
        (topk, [f(2, 5)], {"k": 0}, "k is 0, but dimension n of x has 5"),
        (gather, [f(2, 5), i(2)], {"dim": 0}, "x has 2 dimensions but index has 1: gather needs as many"),
        (gather, [f(2, 5), i(3, 5)], {"dim": 1}, "dimension 0 is 2 in x but 3 in index, which may not be larger"),
        (gather, [f(2, 5), i(2, 5)], {"dim": 5}, "dimension 5 is out of range for 2 dimensions"),
        (softmax, [f()], {}, "x has 0 dimensions"),
    ],
)
def test_operands_that_do_not_fit(op, operands, attributes, message):
    """Each misfit is an error that names the dimension and both values."""
    with pytest.raises(GraphacctError) as error:
        op.apply(operands, attributes)
    assert message in str(error.value)
