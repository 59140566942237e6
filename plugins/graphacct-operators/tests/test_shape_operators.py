"""Views and copies: which is which follows torch, and only copies move bytes and take storage."""

import itertools

import pytest
from graphacct_operators import shape
from graphacct_operators.creation import arange, causal_mask, constant, full, relative_buckets, resident
from graphacct_operators.strides import contiguous_strides, strides_of
from hypothesis import given
from hypothesis import strategies as st

from graphacct import ShapeError, TensorSpec, prod


def f(*dims):
    return TensorSpec(dims)


def apply(op, *operands, **attributes):
    application = op.apply(operands, attributes)
    return application.outputs[0], application


VIEWS = [
    (shape.reshape, [f(2, 6)], {"shape": (3, 4)}, (3, 4)),
    (shape.reshape, [f(2, 6)], {"shape": (-1,)}, (12,)),
    (shape.reshape, [f(2, 6)], {"shape": (2, -1, 3)}, (2, 2, 3)),
    (shape.transpose, [f(2, 3, 4)], {"dims": (-1, 0)}, (4, 3, 2)),
    (shape.permute, [f(2, 3, 4)], {"dims": (2, 0, 1)}, (4, 2, 3)),
    (shape.split, [f(2, 6)], {"parts": 3}, (2, 2)),
    (shape.split, [f(2, 6)], {"sizes": (1, 5)}, (2, 1)),
    (shape.split, [f(6, 2)], {"parts": 2, "dim": 0}, (3, 2)),
    (shape.select, [f(2, 3, 4)], {"dim": 1, "index": -1}, (2, 4)),
    (shape.slice_, [f(2, 6)], {"dim": 1, "start": 2, "length": 4}, (2, 4)),
    (shape.expand, [f(2, 1, 4)], {"shape": (5, 2, 3, 4)}, (5, 2, 3, 4)),
    (shape.contiguous, [f(2, 3)], {}, (2, 3)),
    (shape.cast, [f(2, 3)], {"dtype": "float32"}, (2, 3)),
    (constant, [], {"shape": (2, 3)}, (2, 3)),
]
COPIES = [
    (shape.concat, [f(2, 3), f(2, 4)], {}, (2, 7)),
    (shape.concat, [f(2, 3)], {"dim": 0}, (2, 3)),
    (shape.contiguous, [TensorSpec((3, 2), "float32", (1, 3))], {}, (3, 2)),
    (shape.cast, [f(2, 3)], {"dtype": "float64"}, (2, 3)),
    (shape.pad, [f(2, 3, 4)], {"padding": [(1, 1), (0, 2)]}, (2, 5, 6)),
    (shape.roll, [f(2, 3)], {}, (2, 3)),
    (shape.repeat, [f(2, 3)], {"times": (4, 1)}, (8, 3)),
]


@pytest.mark.parametrize(("op", "operands", "attributes", "expected"), VIEWS)
def test_views_move_nothing(op, operands, attributes, expected):
    """A view has its shape, no FLOPs, no bytes and no storage."""
    out, application = apply(op, *operands, **attributes)
    assert out.shape == expected
    assert application.view
    cost = application.cost
    assert (cost.flops, cost.read_bytes, cost.write_bytes, cost.activation_bytes) == (0, 0, 0, 0)


@pytest.mark.parametrize(("op", "operands", "attributes", "expected"), COPIES)
def test_copies_read_write_and_take_storage(op, operands, attributes, expected):
    """A copy reads its operands, writes its output and allocates it; it has no FLOPs."""
    out, application = apply(op, *operands, **attributes)
    assert out.shape == expected
    assert not application.view
    cost = application.cost
    assert cost.flops == 0
    assert cost.read_bytes == sum(x.bytes for x in operands)
    assert cost.write_bytes == cost.activation_bytes == out.bytes


def test_splitting_and_merging_heads():
    """Splitting the heads is two views; merging them again is a view and a copy, as torch must."""
    x = f(2, 8, 12)
    apart, first = apply(shape.reshape, x, shape=(2, 8, 3, 4))
    heads, second = apply(shape.transpose, apart, dims=(1, 2))
    assert first.view
    assert second.view
    assert heads == TensorSpec((2, 3, 8, 4), "float32", (96, 4, 12, 1))
    back, third = apply(shape.transpose, heads, dims=(1, 2))
    assert back == apart
    assert third.view
    assert apply(shape.reshape, back, shape=(2, 8, 12))[1].view
    merged, copy = apply(shape.reshape, heads, shape=(2, 96))
    assert not copy.view
    assert copy.cost.activation_bytes == merged.bytes == 4 * 192


def test_a_part_of_a_split_can_be_viewed_as_heads():
    """A third of (2, 8, 12) steps over the others, yet its last dimension splits into heads without a copy."""
    part, _ = apply(shape.split, f(2, 8, 12), parts=3)
    assert part == TensorSpec((2, 8, 4), "float32", (96, 12, 1))
    heads, application = apply(shape.reshape, part, shape=(2, 8, 2, 2))
    assert application.view
    assert heads.strides == (96, 12, 2, 1)
    assert not apply(shape.reshape, part, shape=(2, 32))[1].view


def offsets(spec):
    """Where each element stands in the storage, in the order of its indices."""
    strides = strides_of(spec)
    ranges = map(range, spec.shape)
    return [sum(at * step for at, step in zip(index, strides, strict=True)) for index in itertools.product(*ranges)]


def factorisations(elements):
    """All shapes of one to three dimensions with so many elements."""
    sizes = [size for size in range(1, elements + 1) if elements % size == 0]
    return [shape for rank in (1, 2, 3) for shape in itertools.product(sizes, repeat=rank) if prod(shape) == elements]


@given(data=st.data())
def test_a_reshape_is_a_view_just_when_strides_can_say_it(data):
    """For random permuted and sliced tensors, a view's strides read the very elements in order; where it copies, the
    only strides that could be (the distance of each dimension's second element from its first) read others."""
    dims = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    x, _ = apply(shape.permute, f(*dims), dims=tuple(data.draw(st.permutations(range(len(dims))))))
    length = data.draw(st.integers(1, x.shape[0]))
    x, _ = apply(shape.slice_, x, dim=0, length=length)
    target = data.draw(st.sampled_from(factorisations(x.elements)))
    out, application = apply(shape.reshape, x, shape=tuple(target))
    places = offsets(x)
    if application.view:
        assert offsets(out) == places
        return
    assert out.strides is None
    steps = contiguous_strides(target)
    strides = tuple(places[step] if size > 1 else 0 for size, step in zip(target, steps, strict=True))
    assert offsets(TensorSpec(tuple(target), "float32", strides)) != places


def test_created_values():
    """Positions are int64; a float mask has the four dimensions of the scores, a bool one two; neither is a FLOP."""
    out, application = apply(arange, n=5)
    assert out == TensorSpec((1, 5), "int64")
    assert (application.cost.flops, application.cost.write_bytes) == (0, 40)
    assert apply(causal_mask, seq=4)[0] == f(1, 1, 4, 4)
    assert apply(causal_mask, seq=4, dtype="bool")[0] == TensorSpec((4, 4), "bool")
    out, application = apply(full, shape=(2, 3))
    assert (out, application.cost.flops, application.cost.write_bytes) == (f(2, 3), 0, 2 * 3 * 4)


def test_buckets_of_distances():
    """One id for each query and key; divide, log, divide and multiply of each."""
    out, application = apply(relative_buckets, queries=3, keys=5)
    assert out == TensorSpec((3, 5), "int64")
    assert (application.cost.vector_flops, application.cost.transcendentals) == (4 * 3 * 5, 3 * 5)


def test_a_resident_parameter_is_no_work():
    """It is there, and nothing reads or writes it."""
    out, application = apply(resident, f(7, 5))
    cost = application.cost
    assert (out, cost.flops, cost.read_bytes, cost.write_bytes) == (f(7, 5), 0, 0, 0)


def test_stacked_results_take_the_place_of_their_parts():
    """Three results of (2, 5) side by side are (3, 2, 5)."""
    assert apply(shape.stack, f(2, 5), f(2, 5), f(2, 5))[0] == f(3, 2, 5)


@pytest.mark.parametrize(
    ("op", "operands", "attributes", "message"),
    [
        (shape.reshape, [f(2, 6)], {"shape": (5, 2)}, "[2, 6] has 12 elements, [5, 2] has 10"),
        (shape.reshape, [f(2, 6)], {"shape": (5, -1)}, "[2, 6] has 12 elements, which [5, -1] does not divide into"),
        (shape.reshape, [f(2, 6)], {"shape": (-1, -1)}, "[-1, -1] leaves more than one dimension open"),
        (shape.reshape, [f(2, 6)], {"shape": (0, -1)}, "at most one is -1, and none is 0"),
        (shape.transpose, [f(2, 6)], {"dims": (0, 2)}, "dimension 2 is out of range for 2 dimensions"),
        (shape.permute, [f(2, 6)], {"dims": (0, 0)}, "[0, 0] is no order of 2 dimensions"),
        (shape.split, [f(2, 6)], {"parts": 4}, "dimension 1 of size 6 does not split into 4 equal parts"),
        (shape.split, [f(2, 6)], {"parts": 0}, "dimension 1 of size 6 does not split into 0 equal parts"),
        (shape.split, [f(2, 6)], {"sizes": (1, 2)}, "the parts [1, 2] do not add up to dimension 1 of size 6"),
        (shape.select, [f(2, 6)], {"dim": 1, "index": 6}, "index 6 is outside dimension 1 of size 6"),
        (shape.slice_, [f(2, 6)], {"dim": 1, "start": 3, "length": 4}, "3 to 7 is outside dimension 1 of size 6"),
        (shape.expand, [f(2, 6)], {"shape": (3, 6)}, "[2, 6] does not expand to [3, 6] (2 against 3)"),
        (shape.expand, [f(2, 6)], {"shape": (6,)}, "[2, 6] has more dimensions than [6]"),
        (shape.concat, [f(2, 6), f(3, 6)], {}, "operand 1 is [3, 6], which does not join [2, 6] along 1"),
        (shape.pad, [f(6)], {"padding": [(1, 1), (1, 1)]}, "padding has 2 pairs, x has 1 dimensions"),
        (shape.repeat, [f(2, 6)], {"times": (2,)}, "times [2] has 1 values, x has 2 dimensions"),
    ],
)
def test_shapes_that_cannot_be(op, operands, attributes, message):
    """Each misfit is a ShapeError that names the dimension and both values."""
    with pytest.raises(ShapeError) as error:
        op.apply(operands, attributes)
    assert message in str(error.value)
