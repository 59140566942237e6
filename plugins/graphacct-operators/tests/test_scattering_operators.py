"""Writing and reading by index and mask, order, triangles: shapes, what is counted, what is an error."""

import pytest
from graphacct_operators.arranging import diag_embed, diagonal, flip, tril
from graphacct_operators.indexing import argmax, argmin, topk
from graphacct_operators.masks import (
    masked_scatter,
    masked_select,
    nonzero,
    one_hot,
    select_scatter,
    slice_scatter,
    take,
)
from graphacct_operators.ordering import (
    argsort,
    bincount,
    histc,
    kthvalue,
    max_with_indices,
    searchsorted,
    sort,
)
from graphacct_operators.scattering import (
    index,
    index_add,
    index_copy,
    index_fill,
    index_put,
    scatter,
    scatter_add,
    scatter_reduce,
)

from graphacct import Node, OperatorError, ShapeError, TensorSpec, Value, Work
from graphacct.training.gradients import gradient_work


def f(*shape):
    return TensorSpec(shape)


def i(*shape):
    return TensorSpec(shape, "int64")


def m(*shape):
    return TensorSpec(shape, "bool")


def gradient(op, operands, of, **attributes):
    """The work of one operand's gradient."""
    values = [Value(f"v{place}", spec) for place, spec in enumerate(operands)]
    outputs = [Value(f"out:{place}", spec) for place, spec in enumerate(op.apply(operands, attributes).outputs)]
    node = Node("n", op.name, values, outputs, attributes)
    return gradient_work(op, node, [place == of for place in range(len(values))]).input_grad


def test_scatter_writes_and_scatter_add_adds():
    """x of (4, 6) and 4 · 4 indices: no arithmetic, or 16 additions; a copy of 24 elements is written."""
    operands = [f(4, 6), i(4, 4), f(4, 4)]
    assert scatter.apply(operands, {"dim": 1}).outputs == (f(4, 6),)
    assert scatter.apply(operands[:2], {"dim": 1}).cost.flops == 0
    added = scatter_add.apply(operands, {"dim": 1}).cost
    assert (added.vector_flops, added.write_bytes, added.activation_bytes) == (16, 4 * 24, 4 * 24)
    assert added.read_bytes == 4 * 24 + 8 * 16 + 4 * 16
    for of in (0, 2):
        assert gradient(scatter, operands, of, dim=1) == Work()
        assert gradient(scatter_add, operands, of, dim=1) == Work()


@pytest.mark.parametrize(
    ("reduce", "flops", "backward"),
    [
        ("sum", 16, 0),
        ("prod", 16, 4 * 24 + 6 * 16),
        ("mean", 2 * 16 + 24, 24 + 16),
        ("amax", 16, 3 * 24 + 3 * 16),
        ("amin", 16, 3 * 24 + 3 * 16),
    ],
)
def test_scatter_reduce(reduce, flops, backward):
    """16 indices into 24 elements; the gradients of x and src are one figure."""
    operands = [f(4, 6), i(4, 4), f(4, 4)]
    assert scatter_reduce.apply(operands, {"dim": 1, "reduce": reduce}).cost.vector_flops == flops
    assert gradient(scatter_reduce, operands, 2, dim=1, reduce=reduce) == Work(vector_flops=backward)


def test_slices_at_indices():
    """Two slices of 6 of a (4, 6) tensor: 12 additions, or a copy with them written in."""
    operands = [f(4, 6), i(2), f(2, 6)]
    assert index_add.apply(operands, {"dim": 0}).cost.vector_flops == 12
    assert index_copy.apply(operands, {"dim": 0}).cost.flops == 0
    assert index_fill.apply(operands[:2], {"dim": 0}).outputs == (f(4, 6),)


@pytest.mark.parametrize(
    ("indices", "attributes", "shape"),
    [
        ([i(5)], {"dims": (1,)}, (2, 5, 4)),  # x[:, i]
        ([i(5), i(5)], {"dims": (0, 1)}, (5, 4)),  # x[i, j]
        ([i(5), i(5)], {"dims": (0, 2)}, (5, 3)),  # x[i, :, j]: apart, so in front
        ([i(7, 1), i(5)], {"dims": (1, 2)}, (2, 7, 5)),  # they broadcast
        ([m(2, 3)], {"dims": (0,), "count": 4}, (4, 4)),  # x[mask]
        ([m(3), i(1)], {"dims": (1, 2), "count": 2}, (2, 2)),  # x[:, mask, i]
        ([], {"dims": ()}, (2, 3, 4)),
    ],
)
def test_several_indices(indices, attributes, shape):
    """x[…] of (2, 3, 4) has the shape that numpy and torch give it; reads what it selects; g is added to it."""
    application = index.apply([f(2, 3, 4), *indices], attributes)
    assert application.outputs == (f(*shape),)
    assert application.cost.flops == 0
    selected = f(*shape)
    assert application.cost.read_bytes == sum(x.bytes for x in indices) + selected.bytes
    assert gradient(index, [f(2, 3, 4), *indices], 0, **attributes) == Work(vector_flops=selected.elements)
    put = index_put.apply([f(2, 3, 4), selected, *indices], {**attributes, "accumulate": True})
    assert (put.outputs, put.cost.vector_flops) == ((f(2, 3, 4),), selected.elements)


def test_one_value_in_several_places_sums_its_gradient():
    """A scalar at 5 places of 4: 20 elements of g are summed for it; values of their own number take g as it is."""
    operands = [f(3, 4), f(), i(5)]
    assert gradient(index_put, operands, 1, dims=(0,)) == Work(vector_flops=20)
    assert gradient(index_put, [f(3, 4), f(5, 4), i(5)], 1, dims=(0,)) == Work()
    assert index_put.apply(operands, {"dims": (0,)}).cost.flops == 0


def test_masks():
    """7 of 12 elements set: they are read, or written in order; the mask is 1 byte per element."""
    x, mask = f(3, 4), m(3, 4)
    assert masked_select.apply([x, mask], {"count": 7}).outputs == (f(7),)
    assert masked_select.apply([x, mask], {"count": 7}).cost.read_bytes == 12 + 4 * 7
    assert masked_scatter.apply([x, mask, f(7)], {}).outputs == (x,)
    assert gradient(masked_scatter, [x, mask, f(7)], 0) == Work(vector_flops=12)
    assert nonzero.apply([mask], {"count": 7}).outputs == (i(7, 2),)
    assert (nonzero.apply([mask], {"count": 7}).cost.flops, nonzero.apply([x], {"count": 7}).cost.flops) == (0, 12)
    assert one_hot.apply([i(3)], {"classes": 5}).outputs == (i(3, 5),)
    assert take.apply([x, i(2, 2)], {}).outputs == (f(2, 2),)
    assert slice_scatter.apply([x, f(3, 2)], {"dim": 1}).outputs == (x,)
    assert select_scatter.apply([x, f(3)], {"dim": 1}).outputs == (x,)


def test_order_counts_one_comparison_per_element_and_none_of_ids():
    """Of (3, 4) floats 12; of ids none, as a mixture of experts sorts them."""
    for op in (sort, argsort, max_with_indices):
        assert op.apply([f(3, 4)], {"dim": 0}).cost.vector_flops == 12
        assert op.apply([i(3, 4)], {"dim": 0}).cost.vector_flops == 0
    assert sort.apply([f(3, 4)], {}).outputs == (f(3, 4), i(3, 4))
    assert max_with_indices.apply([f(3, 4)], {"dim": 0, "keepdim": True}).outputs == (f(1, 4), i(1, 4))
    assert kthvalue.apply([f(3, 4)], {"k": 2}).outputs == (f(3), i(3))
    assert searchsorted.apply([f(9), f(3, 4)], {}).outputs == (i(3, 4),)
    assert gradient(sort, [f(3, 4)], 0) == Work()


def test_largest_and_their_places_along_any_dimension():
    """Of (3, 4): along the last unless said; all of it with dim=None."""
    assert argmax.apply([f(3, 4)], {}).outputs == (i(3),)
    assert argmin.apply([f(3, 4)], {"dim": 0, "keepdim": True}).outputs == (i(1, 4),)
    assert argmax.apply([f(3, 4)], {"dim": None}).outputs == (i(),)
    assert topk.apply([f(3, 4)], {"k": 2, "dim": 0}).outputs == (f(2, 4), i(2, 4))


def test_counts():
    """A histogram of 12 floats is 5 each; a count of ids is bytes."""
    assert histc.apply([f(12)], {"bins": 8}).cost.vector_flops == 60
    assert histc.apply([f(12)], {"bins": 8}).outputs == (f(8),)
    assert bincount.apply([i(12)], {"bins": 8}).outputs == (i(8),)
    assert bincount.apply([i(12)], {"bins": 8}).cost.flops == 0


def test_triangles_and_diagonals():
    """A triangle is a copy, a diagonal a view with both strides."""
    assert tril.apply([f(2, 3, 3)], {"diagonal": -1}).cost.activation_bytes == 4 * 18
    assert tril.apply([f(2, 3, 3)], {}).cost.flops == 0
    found = diagonal.apply([f(2, 3, 4)], {"dim1": 1, "dim2": 2, "offset": 1})
    assert found.view
    assert found.outputs == (TensorSpec((2, 3), "float32", (12, 5)),)
    assert diag_embed.apply([f(2, 3)], {"offset": -1}).outputs == (f(2, 4, 4),)
    assert flip.apply([f(2, 3)], {"dims": (0, 1)}).outputs == (f(2, 3),)


@pytest.mark.parametrize(
    ("op", "operands", "attributes", "message"),
    [
        (scatter, [f(4, 6), i(4)], {"dim": 1}, "x has 2 dimensions but index has 1: it needs as many"),
        (scatter, [f(4, 6), i(4, 5), f(4, 4)], {"dim": 1}, "dimension 1 is 4 in src but 5 in index"),
        (scatter, [f(4, 6), i(4, 5)], {"dim": 2}, "dimension 2 is out of range for 2 dimensions"),
        (index_add, [f(4, 6), i(2), f(2, 5)], {"dim": 0}, "dimension 1 is 6 in x but 5 in source"),
        (index, [f(4, 6), i(2), i(3)], {"dims": (0, 1)}, "indices of 2 and 3 elements do not broadcast"),
        (index, [f(4, 6), i(2)], {"dims": (0, 1)}, "1 indices need as many dims, not [0, 1]"),
        (index, [f(4, 6), m(4, 5)], {"dims": (0,), "count": 1}, "dimension 1 is 6 in x but 5 in the mask"),
        (kthvalue, [f(4, 6)], {"k": 7}, "k is 7, but dimension 1 of x has 6"),
        (topk, [f(4, 6)], {"k": 5, "dim": 0}, "k is 5, but dimension 0 of x has 4"),
        (slice_scatter, [f(4, 6), f(3, 2)], {"dim": 1}, "dimension 0 is 4 in x but 3 in src"),
        (select_scatter, [f(4, 6), f(6)], {"dim": 1}, "one index of dimension 1 of x is [4], but src is [6]"),
        (diagonal, [f(4, 6)], {"dim1": 1, "dim2": -1}, "dim1 and dim2 are both dimension 1: a diagonal runs over two"),
        (flip, [f(4, 6)], {"dims": (2,)}, "dimension 2 is out of range for 2 dimensions"),
    ],
)
def test_operands_that_do_not_fit(op, operands, attributes, message):
    """Each misfit is a ShapeError that names the dimension and both values."""
    with pytest.raises(ShapeError) as error:
        op.apply(operands, attributes)
    assert message in str(error.value)


def test_attributes_that_are_wrong():
    """A mask needs to say how much of it is set; a reduction has one of five names."""
    with pytest.raises(OperatorError, match="a mask needs the attribute 'count': how many of its elements are set"):
        index.apply([f(3, 4), m(3)], {"dims": (0,)})
    with pytest.raises(OperatorError, match="reduce is 'sum', 'prod', 'mean', 'amax' or 'amin', not 'max'"):
        scatter_reduce.apply([f(3, 4), i(3, 4), f(3, 4)], {"dim": 0, "reduce": "max"})


def test_what_is_written_must_fit():
    """Values broadcast to the places that indices name, and a tensor to the one that it is copied into; symbols may."""
    import sympy
    from graphacct_operators.writing import copy_into

    rows = sympy.Symbol("rows", positive=True, integer=True)
    for values in (f(3, 5), f(5), f(1, 5), f(), f(rows, 5)):
        assert index_put.apply([f(4, 5), values, i(3)], {"dims": (0,)}).outputs == (f(4, 5),)
    with pytest.raises(ShapeError, match=r"values \[2, 5\] does not broadcast to x at the indices, \[3, 5\]"):
        index_put.apply([f(4, 5), f(2, 5), i(3)], {"dims": (0,)})
    with pytest.raises(ShapeError, match=r"values \[rows, 4\] does not broadcast to x at the indices, \[3, 5\]"):
        index_put.apply([f(4, 5), f(rows, 4), i(3)], {"dims": (0,)})
    with pytest.raises(ShapeError, match=r"source \[2, 4, 5\] does not broadcast to x, \[4, 5\]"):
        copy_into.apply([f(4, 5), f(2, 4, 5)], {})
    with pytest.raises(ShapeError, match=r"source \[4\] does not broadcast to x, \[rows, 5\]"):
        copy_into.apply([f(rows, 5), f(4)], {})
