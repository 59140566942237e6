"""Convolutions: sizes, FLOPs against a count tap by tap, and what cannot be."""

import itertools

import pytest
from draws import examples
from graphacct_operators.convolution import convolution, convolution_transposed
from hypothesis import assume, given
from hypothesis import strategies as st

from graphacct import ShapeError, TensorSpec


def f(*shape):
    return TensorSpec(shape)


@st.composite
def convolutions(draw):
    """Operands and attributes of a convolution that fits, in one to three dimensions."""
    rank = draw(st.integers(1, 3))
    axis = st.tuples(
        st.integers(1, 7), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)
    )  # size, taps, stride, padding, dilation
    axes = draw(st.lists(axis, min_size=rank, max_size=rank))
    for size, taps, _, padding, dilation in axes:
        assume(size + 2 * padding >= dilation * (taps - 1) + 1)
    batch, groups, inner, outer = (draw(st.integers(1, 2)) for _ in range(4))
    space, kernel, stride, padding, dilation = zip(*axes, strict=True)
    x, weight = f(batch, groups * inner, *space), f(groups * outer, inner, *kernel)
    return x, weight, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def counted(x, weight, stride, padding, dilation, groups):
    """Output positions per axis and FLOPs, by sliding the window and counting a multiply-add per tap."""
    starts = [
        [
            start
            for start in range(-pad, size + pad, step)
            if start + gap * (taps - 1) < size + pad  # the last tap is still on x or its padding
        ]
        for size, taps, step, pad, gap in zip(x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    ]
    flops = 0
    for _image, channel in itertools.product(range(x.shape[0]), range(weight.shape[0])):
        group = channel // (weight.shape[0] // groups)
        inner = x.shape[1] // groups
        for _start in itertools.product(*starts):
            for _source in range(group * inner, (group + 1) * inner):
                for _tap in itertools.product(*map(range, weight.shape[2:])):
                    flops += 2
    return tuple(map(len, starts)), flops


@examples(40)
@given(convolutions())
def test_convolution_equals_a_count_tap_by_tap(case):
    """Sizes and FLOPs equal what sliding the window by hand gives, padding counted, for any groups and dilation."""
    x, weight, attributes = case
    application = convolution.apply([x, weight], attributes)
    positions, flops = counted(x, weight, **attributes)
    assert application.outputs[0].shape == (x.shape[0], weight.shape[0], *positions)
    assert application.cost.matmul_flops == flops
    assert application.cost.vector_flops == 0


@examples(40)
@given(convolutions())
def test_output_size_is_the_textbook_formula(case):
    """Along each axis floor((n + 2p - d (k - 1) - 1) / s + 1), as torch.nn.Conv2d documents."""
    x, weight, attributes = case
    shape = convolution.apply([x, weight], attributes).outputs[0].shape
    keys = ("stride", "padding", "dilation")
    axes = zip(x.shape[2:], weight.shape[2:], *(attributes[key] for key in keys), strict=True)
    assert shape[2:] == tuple(int((n + 2 * p - d * (k - 1) - 1) / s + 1) for n, k, s, p, d in axes)


@examples(40)
@given(convolutions())
def test_transposed_convolution_is_the_gradient_of_one(case):
    """With the same weight it leads from the output's shape back to the input's, at the same FLOPs."""
    x, weight, attributes = case
    forward = convolution.apply([x, weight], attributes)
    axes = zip(
        x.shape[2:], weight.shape[2:], *(attributes[key] for key in ("stride", "padding", "dilation")), strict=True
    )
    lost = tuple((n + 2 * p - d * (k - 1) - 1) % s for n, k, s, p, d in axes)
    back = convolution_transposed.apply([forward.outputs[0], weight], {**attributes, "output_padding": lost})
    assert back.outputs[0].shape == x.shape
    assert back.cost.matmul_flops == forward.cost.matmul_flops


def test_first_layer_of_resnet50():
    """7 × 7 over 3 channels to 64 at 112 × 112: 2 · 64 · 112 · 112 · 3 · 49 = 236,027,904 FLOPs, as torch's
    counter measures it, and half as many MACs."""
    cost = convolution.apply([f(1, 3, 224, 224), f(64, 3, 7, 7)], {"stride": 2, "padding": 3}).cost
    assert cost.matmul_flops == 2 * 64 * 112 * 112 * 3 * 49 == 236_027_904
    assert cost.macs == 118_013_952


def test_bias_is_one_addition_per_output_element():
    """4 channels at 6 × 6 for 2 images: 2 · 4 · 36 = 288, and the bytes of the bias are read."""
    operands = [f(2, 3, 8, 8), f(4, 3, 3, 3)]
    plain, biased = convolution.apply(operands, {}).cost, convolution.apply([*operands, f(4)], {}).cost
    assert (plain.vector_flops, biased.vector_flops) == (0, 288)
    assert biased.read_bytes - plain.read_bytes == 4 * 4
    assert plain.read_bytes == 4 * (2 * 3 * 64 + 4 * 3 * 9)
    assert plain.write_bytes == plain.activation_bytes == 4 * 288
    assert convolution_transposed.apply([f(2, 4, 3, 3), f(4, 5, 2, 2), f(5)], {}).cost.vector_flops == 2 * 5 * 4 * 4


def test_depthwise_convolution():
    """One group per channel: 2 · 8 channels · 16 positions · 1 channel · 3 taps = 768."""
    cost = convolution.apply([f(1, 8, 16), f(8, 1, 3)], {"padding": 1, "groups": 8}).cost
    assert cost.matmul_flops == 2 * 8 * 16 * 3 == 768


@pytest.mark.parametrize(("padding", "size"), [("same", 10), ("valid", 6), (2, 10), ([2], 10), (0, 6)])
def test_padding_by_name(padding, size):
    """A kernel of 3 at dilation 2 spans 5: `same` adds 4 to 10 positions, `valid` none."""
    out = convolution.apply([f(1, 1, 10), f(1, 1, 3)], {"padding": padding, "dilation": 2}).outputs[0]
    assert out.shape == (1, 1, size)


X, W = f(1, 4, 8, 8), f(6, 4, 3, 3)


@pytest.mark.parametrize(
    ("operands", "attributes", "message"),
    [
        ([f(1, 4, 8), W], {}, "x has 1 spatial dimensions [8], weight has 2 [3, 3]"),
        ([f(1, 4), f(6, 4)], {}, "x has 0 spatial dimensions [], weight has 0 []"),
        (
            [f(1, 5, 8, 8), W],
            {},
            "dimension c is 5 in x, but weight has 4 channels per group and groups=1, which makes 4",
        ),
        (
            [X, W],
            {"groups": 2},
            "dimension c is 4 in x, but weight has 4 channels per group and groups=2, which makes 8",
        ),
        ([X, W], {"groups": 3}, "dimension c of x is 4, which does not divide into groups=3"),
        ([X, f(5, 2, 3, 3)], {"groups": 2}, "dimension o of weight is 5, which does not divide into groups=2"),
        ([X, W], {"groups": 0}, "groups is 0; it is an integer of at least 1 (or one per axis)"),
        ([X, W], {"stride": 0}, "stride is 0; it is an integer of at least 1 (or one per axis)"),
        ([X, W], {"stride": 1.5}, "stride is 1.5; it is an integer of at least 1 (or one per axis)"),
        ([X, W], {"padding": -1}, "padding is -1; it is an integer of at least 0 (or one per axis)"),
        ([X, W], {"dilation": None}, "dilation is None; it is an integer of at least 1 (or one per axis)"),
        ([X, W], {"stride": (1, 2, 3)}, "stride [1, 2, 3] has 3 values for 2 spatial dimensions"),
        (
            [X, W],
            {"padding": "full"},
            "padding is 'full'; it is 'same', 'valid', an integer, or one per spatial dimension",
        ),
        (
            [X, W],
            {"padding": "same", "stride": 2},
            "padding 'same' needs stride 1, not 2: the output would be smaller than x",
        ),
        (
            [f(1, 4, 8, 2), W],
            {"dilation": 2, "padding": 1},
            "along spatial dimension 1 the kernel spans 5 (kernel 3, dilation 2) "
            "but padded x has 4 (2 and 2 of padding)",
        ),
        ([X, W, f(5)], {}, "dimension o is 6 in weight but 5 in bias"),
    ],
)
def test_convolution_that_cannot_be(operands, attributes, message):
    """Each misfit is a ShapeError that names the dimension and both values."""
    with pytest.raises(ShapeError) as error:
        convolution.apply(operands, attributes)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("operands", "attributes", "message"),
    [
        ([X, f(5, 2, 3, 3)], {}, "dimension c is 4 in x but 5 in weight"),
        ([X, f(4, 2, 3)], {}, "x has 2 spatial dimensions [8, 8], weight has 1 [3]"),
        (
            [X, f(4, 2, 3, 3), f(2)],
            {"groups": 2},
            "dimension o is 2 in bias, but weight has 2 channels per group and groups=2, which makes 4",
        ),
        (
            [X, f(4, 2, 3, 3)],
            {"output_padding": 1},
            "along spatial dimension 0 output_padding is 1, which must be smaller than stride 1 or dilation 1",
        ),
        (
            [f(1, 4, 1, 1), f(4, 2, 3, 3)],
            {"padding": 2},
            "along spatial dimension 0 the output has -1 positions: padding 2 is too large",
        ),
    ],
)
def test_transposed_convolution_that_cannot_be(operands, attributes, message):
    """Each misfit is a ShapeError that names the dimension and both values."""
    with pytest.raises(ShapeError) as error:
        convolution_transposed.apply(operands, attributes)
    assert message in str(error.value)
