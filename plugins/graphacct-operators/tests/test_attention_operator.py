"""Fused attention costs what the written-out chain costs, less the traffic of the scores."""

import pytest
from graphacct_operators.activation import tanh
from graphacct_operators.attention import scaled_dot_product_attention as sdpa
from graphacct_operators.elementwise import add, dropout, masked_fill, scale
from graphacct_operators.matmul import matmul
from graphacct_operators.shape import reshape, transpose
from graphacct_operators.softmax import softmax
from hypothesis import given
from hypothesis import strategies as st

from graphacct import ShapeError, TensorSpec

size = st.integers(1, 30)


def f(*shape):
    return TensorSpec(shape)


@given(
    b=size,
    h=size,
    s=size,
    t=size,
    d=size,
    e=size,
    mask=st.sampled_from([None, "float32", "bool"]),
    p=st.booleans(),
    cap=st.booleans(),
)
def test_work_is_that_of_the_written_out_chain(b, h, s, t, d, e, mask, p, cap):
    """scores, scale, cap, mask, softmax, dropout, values: the same FLOPs and transcendentals, for any sizes."""
    q, k, v = f(b, h, s, d), f(b, h, t, d), f(b, h, t, e)
    scores = f(b, h, s, t)
    chain = [
        matmul.apply([q, f(b, h, d, t)], {}),
        scale.apply([scores], {}),
        softmax.apply([scores], {}),
        dropout.apply([scores], {"p": 0.1 * p}),
        matmul.apply([scores, v], {}),
    ]
    operands = [q, k, v]
    if mask:
        operands.append(TensorSpec((s, t), mask))
        chain.append((masked_fill if mask == "bool" else add).apply([scores, operands[3]], {}))
    if cap:
        chain += [scale.apply([scores], {}), tanh.apply([scores], {}), scale.apply([scores], {})]
    fused = sdpa.apply(operands, {"dropout_p": 0.1 * p, "softcap": cap})
    assert fused.outputs[0].shape == chain[4].outputs[0].shape
    for quantity in ("matmul_flops", "vector_flops", "transcendentals"):
        assert getattr(fused.cost, quantity) == sum(getattr(step.cost, quantity) for step in chain)


def test_a_layer_of_gpt2():
    """12 heads of 64 at 1,024 positions: two products of 2 · 12 · 1024² · 64 make 3,221,225,472 FLOPs; scale, causal
    mask and softmax are 7 per score, 7 · 12 · 1024² = 88,080,384, of which 12 · 1024² are exp."""
    q = f(1, 12, 1024, 64)
    cost = sdpa.apply([q, q, q], {"causal": True}).cost
    assert cost.matmul_flops == 2 * (2 * 12 * 1024**2 * 64) == 3_221_225_472
    assert cost.vector_flops == 7 * 12 * 1024**2 == 88_080_384
    assert cost.transcendentals == 12 * 1024**2


def test_causality_is_no_discount_and_a_second_mask_no_surcharge():
    """All pairs of positions count; causal and given masks are one table that is added once."""
    q, mask = f(1, 2, 5, 4), f(5, 5)
    plain, causal = sdpa.apply([q, q, q], {}).cost, sdpa.apply([q, q, q], {"causal": True}).cost
    both = sdpa.apply([q, q, q, mask], {"causal": True}).cost
    assert causal.matmul_flops == plain.matmul_flops
    assert causal.vector_flops - plain.vector_flops == 2 * 5 * 5
    assert both.vector_flops == causal.vector_flops


def test_scores_are_never_stored():
    """Reads q, k, v and the mask, writes the output: 4 bytes for each of 3 · 2 · 5 · 4 + 25, and of 2 · 5 · 4."""
    q = f(1, 2, 5, 4)
    cost = sdpa.apply([q, q, q, f(5, 5)], {}).cost
    assert cost.read_bytes == 4 * (3 * 40 + 25)
    assert cost.write_bytes == cost.activation_bytes == 4 * 40


def test_scale_of_one_is_no_multiplication():
    """6 per score without a mask (scale and softmax), 5 when nothing is scaled: 2 · 5 · 5 scores."""
    q = f(1, 2, 5, 4)
    assert sdpa.apply([q, q, q], {}).cost.vector_flops == 6 * 50
    assert sdpa.apply([q, q, q], {"scale": 0.5}).cost.vector_flops == 6 * 50
    assert sdpa.apply([q, q, q], {"scale": 1.0}).cost.vector_flops == 5 * 50


def test_grouped_queries_save_bytes_not_flops():
    """8 query heads on 2 key heads do the work of 8 on 8, and read a quarter of k and v."""
    q, kv = f(1, 8, 5, 4), f(1, 2, 5, 4)
    grouped, full = sdpa.apply([q, kv, kv], {}).cost, sdpa.apply([q, q, q], {}).cost
    assert grouped.flops == full.flops
    assert full.read_bytes - grouped.read_bytes == 4 * 2 * (8 - 2) * 5 * 4


def test_merging_the_heads_of_the_output_is_a_view():
    """For the transposed view of a projection the kernel writes (b, s, h, e), as it is laid out: the transpose back is
    contiguous and the reshape copies nothing. For a q of its own layout (after a rotary embedding, say) it copies."""
    q = transpose.apply([f(2, 8, 4, 16)], {"dims": (1, 2)}).outputs[0]
    out = sdpa.apply([q, q, q], {}).outputs[0]
    turned = transpose.apply([out], {"dims": (1, 2)}).outputs[0]
    assert turned == f(2, 8, 4, 16)
    assert reshape.apply([turned], {"shape": (2, 8, 64)}).view
    own = sdpa.apply([f(2, 4, 8, 16)] * 3, {}).outputs[0]
    turned = transpose.apply([own], {"dims": (1, 2)}).outputs[0]
    assert not reshape.apply([turned], {"shape": (2, 8, 64)}).view
    for q in (f(2, 1, 8, 16), f(2, 4, 1, 16)):  # with one head, or one position, it is contiguous as it is
        assert sdpa.apply([q] * 3, {}).outputs == (q,)


@pytest.mark.parametrize(
    ("operands", "message"),
    [
        (
            [f(1, 8, 5, 4), f(1, 3, 5, 4), f(1, 3, 5, 4)],
            "dimension h is 8 in q but g is 3 in k and v: query heads are a multiple of key heads",
        ),
        ([f(1, 2, 5, 4), f(1, 2, 5, 3), f(1, 2, 5, 3)], "dimension d is 4 in q but 3 in k"),
        ([f(1, 2, 5, 4), f(1, 2, 6, 4), f(1, 2, 5, 4)], "dimension t is 6 in k but 5 in v"),
        ([f(1, 2, 5, 4)] * 3 + [f(5, 6)], "dimension t is 5 in the scores but 6 in mask"),
        ([f(1, 2, 5, 4)] * 3 + [f(3, 1, 5, 5)], "dimension b is 1 in the scores but 3 in mask"),
        ([f(1, 2, 5, 4)] * 3 + [f(1, 1, 1, 5, 5)], "mask has 5 dimensions, the scores have 4 (b h s t)"),
        ([f(2, 5, 4)] * 3, "q has 3 dimensions"),
    ],
)
def test_operands_that_do_not_fit(operands, message):
    """Each misfit is a ShapeError that names the dimension and both values."""
    with pytest.raises(ShapeError) as error:
        sdpa.apply(operands, {})
    assert message in str(error.value)
