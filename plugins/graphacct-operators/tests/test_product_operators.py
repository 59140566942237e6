"""Matrix products: linear layers, batched products, einsum."""

import pytest
from graphacct_operators.einsum import einsum
from graphacct_operators.matmul import linear, linear_in_out, matmul

from graphacct import ShapeError, TensorSpec


def f(*shape):
    return TensorSpec(shape)


@pytest.mark.parametrize(("op", "weight"), [(linear, f(5, 4)), (linear_in_out, f(4, 5))], ids=["linear", "in_out"])
def test_linear_layer(op, weight):
    """(2, 3, 4) by a 5 × 4 weight: 2 · 2 · 3 · 4 · 5 = 240 FLOPs; the bias adds 1 for each of 30 outputs; it reads
    24 + 20 + 5 elements of 4 bytes and writes 30."""
    plain, biased = op.apply([f(2, 3, 4), weight], {}), op.apply([f(2, 3, 4), weight, f(5)], {})
    assert plain.outputs == biased.outputs == (f(2, 3, 5),)
    assert (plain.cost.matmul_flops, plain.cost.vector_flops) == (240, 0)
    assert (biased.cost.matmul_flops, biased.cost.vector_flops) == (240, 30)
    assert (biased.cost.read_bytes, biased.cost.write_bytes) == (4 * 49, 4 * 30)


def test_batched_product_broadcasts():
    """(7, 1, 2, 3) by (5, 3, 4): batch 7 · 5, so 2 · 35 · 2 · 3 · 4 = 1,680 FLOPs."""
    application = matmul.apply([f(7, 1, 2, 3), f(5, 3, 4)], {})
    assert application.outputs == (f(7, 5, 2, 4),)
    assert application.cost.matmul_flops == 1680


@pytest.mark.parametrize("equation", ["b s d, b t d -> b s t", "bsd,btd->bst", "bsd, btd -> bst"])
def test_einsum_as_words_or_letters(equation):
    """2 · 2 · 3 · 4 · 5 = 240 for b 2, s 3, t 4, d 5, however the labels are written."""
    application = einsum.apply([f(2, 3, 5), f(2, 4, 5)], {"equation": equation})
    assert application.outputs == (f(2, 3, 4),)
    assert (application.cost.matmul_flops, application.cost.vector_flops) == (240, 0)


def test_einsum_that_contracts_nothing_is_a_product():
    """An outer product of 3 and 4 elements is 12 products, and no contraction."""
    cost = einsum.apply([f(3), f(4)], {"equation": "i,j->ij"}).cost
    assert (cost.matmul_flops, cost.vector_flops) == (0, 12)


@pytest.mark.parametrize(
    ("op", "operands", "attributes", "message"),
    [
        (linear, [f(2, 3), f(5, 4)], {}, "dimension k is 3 in x but 4 in weight"),
        (linear, [f(2, 3), f(5, 3), f(4)], {}, "dimension n is 5 in weight but 4 in bias"),
        (linear, [f(2, 3)], {}, "takes 2 to 3 operands, not 1"),
        (matmul, [f(2, 3), f(4, 2)], {}, "dimension k is 3 in x but 4 in y"),
        (matmul, [f(3, 2, 3), f(4, 3, 2)], {}, "[4] of y does not broadcast with [3] (3 against 4)"),
        (einsum, [f(3), f(4)], {"equation": "i,i->"}, "dimension i is 3 in x but 4 in y: 'i,i->'"),
        (einsum, [f(3), f(4)], {"equation": "ij,j->i"}, "x has 1 dimensions, 'ij,j->i' names 2"),
        (einsum, [f(3, 3), f(3)], {"equation": "ii,i->i"}, "has a label twice in one term; take the diagonal first"),
        (einsum, [f(3, 4), f(3)], {"equation": "ij,i->i"}, "only one operand has 'j'; sum over it first"),
        (einsum, [f(3), f(3)], {"equation": "i,i->k"}, "no operand has the output's label 'k'"),
        (einsum, [f(3), f(3)], {"equation": "i,i,i->i"}, "equation 'i,i,i->i' has 3 operands, not 2"),
        (einsum, [f(3), f(3)], {"equation": "i->i"}, "is not of the kind 'b h s d, b h t d -> b h s t'"),
        (einsum, [f(3), f(3)], {"equation": "i,i"}, "is not of the kind 'b h s d, b h t d -> b h s t'"),
    ],
)
def test_products_that_cannot_be(op, operands, attributes, message):
    """Each misfit is a ShapeError that names the dimension and both values, or what the equation lacks."""
    with pytest.raises(ShapeError) as error:
        op.apply(operands, attributes)
    assert message in str(error.value)
