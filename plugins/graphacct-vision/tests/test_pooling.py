"""Pooling: output sizes against windows placed one by one, and one operation per window position."""

from functools import cache
from typing import Any

import numpy
import pytest
import sympy
from graphacct_vision.operators.pooling import adaptive_avg_pool, avg_pool, covered, max_pool
from hypothesis import given
from hypothesis import strategies as st

from graphacct import Node, Operator, OperatorError, ShapeError, TensorSpec, Value, Work
from graphacct.operators.saves import saved_tensors
from graphacct.training.gradients import GradientWork, gradient_work


def shape(operator: Operator, dims: tuple[Any, ...], **attributes: Any) -> tuple[Any, ...]:
    return operator.apply([TensorSpec(dims)], attributes).outputs[0].shape


def flops(operator: Operator, dims: tuple[Any, ...], **attributes: Any) -> Any:
    return operator.apply([TensorSpec(dims)], attributes).cost.vector_flops


def placed(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """How many windows there are, found by placing them one after the other along the padded axis."""
    count, start, reached = 0, -padding, -padding - 1
    while True:
        end = start + dilation * (kernel - 1)
        whole = end < size + padding
        overhangs = ceil_mode and reached < size + padding - 1 and start < size
        if not (whole or overhangs):
            return count
        count, start, reached = count + 1, start + stride, end


@given(
    size=st.integers(1, 40),
    kernel=st.integers(1, 6),
    stride=st.integers(1, 5),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 3),
    ceil_mode=st.booleans(),
)
def test_outputs_are_as_many_as_windows_fit(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> None:
    """The closed form gives as many outputs as there are windows, or says that none can be."""
    attributes = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    possible = 2 * padding <= kernel and (room >= 0 or (ceil_mode and room + stride > 0))  # a window overhangs
    if not possible:
        with pytest.raises(ShapeError):
            shape(max_pool, (1, 1, size), **attributes)
        return
    expected = placed(size, kernel, stride, padding, dilation, ceil_mode)
    assert shape(max_pool, (1, 1, size), **attributes) == (1, 1, expected)
    n = sympy.Symbol("n", integer=True, positive=True)
    assert shape(max_pool, (1, 1, n), **attributes)[2].subs(n, size) == expected
    sizes = numpy.array([float(size)])
    assert shape(max_pool, (1, 1, sizes), **attributes)[2].tolist() == [expected]


def test_resnets_stem_halves_the_image() -> None:
    """3 x 3 with stride 2 and padding 1 on 112: (112 + 2 - 2 - 1) // 2 + 1 = 56; 9 comparisons an output."""
    attributes = {"kernel": 3, "stride": 2, "padding": 1}
    assert shape(max_pool, (1, 64, 112, 112), **attributes) == (1, 64, 56, 56)
    assert flops(max_pool, (1, 64, 112, 112), **attributes) == 9 * 64 * 56 * 56


def test_the_stride_is_the_kernel_unless_given() -> None:
    """As torch's pooling: windows do not overlap by default."""
    assert shape(max_pool, (2, 3, 12, 8), kernel=(3, 2)) == (2, 3, 4, 4)
    assert shape(avg_pool, (2, 3, 12), kernel=4) == (2, 3, 3)


def test_an_average_divides_once_per_output() -> None:
    """2 x 3 x 4 windows: 24 additions and 1 division for each of 2 * 5 * (2 * 2 * 2) outputs."""
    assert flops(avg_pool, (2, 5, 4, 6, 8), kernel=(2, 3, 4)) == (24 + 1) * 2 * 5 * 8


def test_a_window_larger_than_the_image() -> None:
    """EfficientNet's last: with ceil_mode it sees the whole padded image, and without it does not fit."""
    attributes = {"kernel": 2560, "ceil_mode": True}
    assert shape(avg_pool, (2, 5, 18, 18), **attributes) == (2, 5, 1, 1)
    assert flops(avg_pool, (2, 5, 18, 18), **attributes) == 2 * 5 * (18 * 18 + 1)
    assert flops(max_pool, (2, 5, 7), kernel=12, padding=2, ceil_mode=True) == 2 * 5 * (7 + 2 * 2)
    with pytest.raises(ShapeError, match="of size 18 with padding 0 is smaller than the window, which spans 2560"):
        shape(avg_pool, (2, 5, 18, 18), kernel=2560)


def test_ceil_mode_keeps_the_last_partial_window() -> None:
    """112 by 3, stride 2: (112 - 3) / 2 is 54.5, so 55 windows fit and ceil_mode adds one that overhangs."""
    assert shape(max_pool, (1, 1, 112), kernel=3, stride=2) == (1, 1, 55)
    assert shape(max_pool, (1, 1, 112), kernel=3, stride=2, ceil_mode=True) == (1, 1, 56)


N = sympy.Symbol("n", integer=True, positive=True)


@cache
def covered_of_n(outputs: int) -> sympy.Expr:
    return covered(N, outputs)


@given(size=st.integers(1, 60), outputs=st.integers(1, 20))
def test_adapted_windows_cover_the_image(size: int, outputs: int) -> None:
    """The positions seen are those of windows [i size // n, ceil((i + 1) size / n)), in all three kinds of numbers."""
    expected = sum(-(-(i + 1) * size // outputs) - i * size // outputs for i in range(outputs))
    assert covered(size, outputs) == expected
    assert covered_of_n(outputs).subs(N, size) == expected
    assert covered(numpy.array([float(size)]), outputs).tolist() == [expected]


def test_an_adapted_average_adds_each_window_and_divides_once() -> None:
    """7 to 3 sees 3 + 3 + 3 = 9 positions an axis: (9 * 9 additions + 3 * 3 divisions) for each of 2 * 4 channels."""
    assert shape(adaptive_avg_pool, (2, 4, 7, 7), size=3) == (2, 4, 3, 3)
    assert flops(adaptive_avg_pool, (2, 4, 7, 7), size=3) == 2 * 4 * (9 * 9 + 9)


def test_an_adapted_average_to_one_points_to_the_mean() -> None:
    """torch computes size 1 as a mean, whose backward keeps nothing: the error says how to write it."""
    with pytest.raises(OperatorError, match=r"use mean, dim=\(2, 3\), keepdim=True"):
        shape(adaptive_avg_pool, (1, 8, 7, 7), size=1)


def test_what_backward_keeps() -> None:
    """max_pool: input and int64 indices of the outputs' shape; averages: the input (torch 2.14.1)."""
    image = TensorSpec((2, 3, 8, 6))
    kept = [(item.name, item.spec) for item in saved_tensors(max_pool, [image], {"kernel": 2})]
    assert kept == [("x", image), ("indices", TensorSpec((2, 3, 4, 3), "int64"))]
    assert [saved.name for saved in avg_pool.saves] == [saved.name for saved in adaptive_avg_pool.saves] == ["x"]


@pytest.mark.parametrize(
    ("operator", "dims", "attributes", "expected"),
    [
        (max_pool, (2, 4, 8, 8), {"kernel": 3, "stride": 2, "padding": 1}, 2 * 4 * 16),
        (avg_pool, (2, 4, 8, 8), {"kernel": 2}, 2 * 4 * 16 * (4 + 1)),
        (adaptive_avg_pool, (2, 4, 7, 7), {"size": 3}, 2 * 4 * (9 * 9 + 9)),
    ],
)
def test_backward(operator: Operator, dims: tuple[int, ...], attributes: dict[str, Any], expected: int) -> None:
    """The largest takes 1 addition per output; averages divide g once and add it at each position of the window."""
    value = Value("x", TensorSpec(dims))
    out = Value("pool", operator.apply([value.spec], attributes).outputs[0])
    found = gradient_work(operator, Node("pool", operator.name, (value,), (out,), attributes), [True])
    assert found == GradientWork(input_grad=Work(vector_flops=expected))


@pytest.mark.parametrize(
    ("operator", "dims", "attributes", "message"),
    [
        (max_pool, (1, 8), {"kernel": 2}, r"after batch and channels x has \[\]"),
        (max_pool, (1, 8, 2, 2, 2, 2), {"kernel": 2}, r"after batch and channels x has \[2, 2, 2, 2\]"),
        (max_pool, (1, 8, 4), {}, "needs the attribute 'kernel'"),
        (max_pool, (1, 8, 4, 4), {"kernel": (2, 2, 2)}, "has 3 numbers for 2 spatial dimensions"),
        (max_pool, (1, 8, 4), {"kernel": 0}, "kernel must be a whole number of at least 1, not 0"),
        (max_pool, (1, 8, 4), {"kernel": "2"}, "kernel must be a whole number of at least 1, not '2'"),
        (avg_pool, (1, 8, 4), {"kernel": 2, "stride": 0}, "stride must be a whole number of at least 1, not 0"),
        (avg_pool, (1, 8, 4), {"kernel": 2, "padding": -1}, "padding must be a whole number of at least 0, not -1"),
        (avg_pool, (1, 8, 4), {"kernel": 2, "dilation": 2}, "has no attribute 'dilation'"),
        (max_pool, (1, 8, 9, 4), {"kernel": 5}, "spatial dimension 1 of size 4 with padding 0 is smaller"),
        (max_pool, (1, 8, 4), {"kernel": 3, "padding": 2}, "padding 2 is more than half of kernel 3"),
        (adaptive_avg_pool, (1, 8, 4), {"size": 0}, "size must be a whole number of at least 1, not 0"),
    ],
)
def test_what_cannot_be_pooled_is_named(
    operator: Operator, dims: tuple[int, ...], attributes: dict[str, Any], message: str
) -> None:
    """Each error says which dimension or attribute does not fit, and its value."""
    with pytest.raises((ShapeError, OperatorError), match=message):
        shape(operator, dims, **attributes)


def test_all_work_is_vector_work() -> None:
    """Pooling has no contraction and no transcendental: torch's counter sees none of it."""
    for operator, attributes in (
        (max_pool, {"kernel": 2}),
        (avg_pool, {"kernel": 2}),
        (adaptive_avg_pool, {"size": 2}),
    ):
        cost = operator.apply([TensorSpec((1, 2, 4, 4))], attributes).cost
        assert (cost.matmul_flops, cost.transcendentals) == (0, 0)
        assert cost.vector_flops > 0
