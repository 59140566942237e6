"""Convolutions and transposed convolutions in any number of dimensions.

2 FLOPs per multiply-add at every position of the kernel, those that fall on padding included: the convention of
torch's counter and of the figures that torchvision publishes (XLA leaves the padding out).
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from graphacct import ShapeError, TensorSpec, Work, has_value, operator, prod
from graphacct_operators.strides import in_layout

PerAxis: TypeAlias = Any
"""An attribute of a convolution: one value for all spatial axes, or a sequence of one per axis."""

SAVES = {"x": "the weight's gradient correlates it with g", "weight": "the input's gradient spreads g with it"}


def per_axis(name: str, value: PerAxis, rank: int, least: int) -> tuple[Any, ...]:
    """Returns the attribute written out for each of `rank` axes; ShapeError unless each is an integer of at least
    `least`."""
    values = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,) * rank
    if len(values) != rank:
        raise ShapeError(f"{name} {list(values)} has {len(values)} values for {rank} spatial dimensions")
    for item in values:
        if item is None or isinstance(item, (bool, float, Sequence)) or (type(item) is int and item < least):
            raise ShapeError(f"{name} is {item!r}; it is an integer of at least {least} (or one per axis)")
    return values


def _check_groups(channels: Any, name: str, groups: Any) -> None:
    per_axis("groups", (groups,), 1, 1)
    if has_value(channels) and has_value(groups) and channels % groups:
        raise ShapeError(f"dimension {name} is {channels}, which does not divide into groups={groups}")


def _check_ranks(space: tuple[Any, ...], kernel: tuple[Any, ...]) -> int:
    if len(space) != len(kernel) or not space:
        raise ShapeError(
            f"x has {len(space)} spatial dimensions {list(space)}, weight has {len(kernel)} {list(kernel)}"
        )
    return len(space)


def _paddings(padding: PerAxis, kernel: tuple[Any, ...], stride: Any, dilation: Any) -> list[Any]:
    """Padding per axis, both sides together."""
    if not isinstance(padding, str):
        return [2 * each for each in per_axis("padding", padding, len(kernel), 0)]
    if padding == "valid":
        return [0] * len(kernel)
    if padding != "same":
        raise ShapeError(f"padding is {padding!r}; it is 'same', 'valid', an integer, or one per spatial dimension")
    for step in stride:
        if has_value(step) and step != 1:
            raise ShapeError(f"padding 'same' needs stride 1, not {step}: the output would be smaller than x")
    return [gap * (taps - 1) for gap, taps in zip(dilation, kernel, strict=True)]


def _convolved(
    x: TensorSpec,
    b: Any,
    c: Any,
    space: tuple[Any, ...],
    o: Any,
    i: Any,
    kernel: tuple[Any, ...],
    *,
    stride: PerAxis = 1,
    padding: PerAxis = 0,
    dilation: PerAxis = 1,
    groups: Any = 1,
) -> TensorSpec:
    """(b, o, *positions), with (n + padding - dilation (k - 1) - 1) // stride + 1 positions along each axis."""
    rank = _check_ranks(space, kernel)
    _check_groups(c, "c of x", groups)
    _check_groups(o, "o of weight", groups)
    if all(has_value(value) for value in (c, i, groups)) and c != i * groups:
        raise ShapeError(
            f"dimension c is {c} in x, but weight has {i} channels per group and groups={groups}, "
            f"which makes {i * groups}"
        )
    strides = per_axis("stride", stride, rank, 1)
    dilations = per_axis("dilation", dilation, rank, 1)
    paddings = _paddings(padding, kernel, strides, dilations)
    positions = map(_positions, range(rank), space, kernel, strides, paddings, dilations)
    return in_layout((b, o, *positions), x.dtype, x)


def _positions(axis: int, size: Any, taps: Any, step: Any, padding: Any, gap: Any) -> Any:
    span = gap * (taps - 1) + 1
    free = size + padding - span
    if has_value(free) and free < 0:
        raise ShapeError(
            f"along spatial dimension {axis} the kernel spans {span} (kernel {taps}, dilation {gap}) "
            f"but padded x has {size + padding} ({size} and {padding} of padding)"
        )
    return (free if has_value(step) and step == 1 else free // step) + 1


def _correlated(weight: TensorSpec, out: TensorSpec) -> Work:
    return Work(matmul_flops=2 * out.elements * prod(weight.shape[1:]))


def _sum_of_g(out: TensorSpec) -> Work:
    return Work(vector_flops=out.elements)


@operator(
    "x: b c *space, weight: o i *kernel, bias?: o -> b o *positions",
    infer=_convolved,
    saves=SAVES,
    gradients={"x": _correlated, "weight": _correlated, "bias": _sum_of_g},
)
def convolution(weight: TensorSpec, bias: TensorSpec | None, out: TensorSpec) -> Work:
    """Each output is the kernel's taps on one neighbourhood of x, over the c / groups channels of its group.

    The weight is (o, c / groups, *kernel), as torch stores it. 2 FLOPs per multiply-add: 2 × output elements ×
    c / groups × taps, taps on padding included (torch's counter); 1 per output element for the bias. `stride`,
    `padding` (on both sides, or "same" or "valid") and `dilation` are one integer or one per axis.

    Backward: as many FLOPs again for x, and for the weight; 1 per output element for the bias, the sum of g.
    """
    elements = prod(out.shape)
    return Work(matmul_flops=2 * elements * prod(weight.shape[1:]), vector_flops=elements if bias else 0)


def _spread(
    b: Any,
    space: tuple[Any, ...],
    c: Any,
    i: Any,
    kernel: tuple[Any, ...],
    o: Any,
    *,
    stride: PerAxis = 1,
    padding: PerAxis = 0,
    output_padding: PerAxis = 0,
    dilation: PerAxis = 1,
    groups: Any = 1,
) -> tuple[Any, ...]:
    """(b, o, *positions), with (n - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1 along each axis."""
    rank = _check_ranks(space, kernel)
    _check_groups(c, "c of x", groups)
    channels = i * groups
    if has_value(o) and has_value(channels) and o != channels:
        raise ShapeError(
            f"dimension o is {o} in bias, but weight has {i} channels per group and groups={groups}, "
            f"which makes {channels}"
        )
    positions = []
    for axis, (size, taps, step, pad, extra, gap) in enumerate(
        zip(
            space,
            kernel,
            per_axis("stride", stride, rank, 1),
            per_axis("padding", padding, rank, 0),
            per_axis("output_padding", output_padding, rank, 0),
            per_axis("dilation", dilation, rank, 1),
            strict=True,
        )
    ):
        if all(has_value(value) for value in (step, extra, gap)) and extra >= max(step, gap):
            raise ShapeError(
                f"along spatial dimension {axis} output_padding is {extra}, which must be smaller than stride {step} "
                f"or dilation {gap}"
            )
        length = (size - 1) * step - 2 * pad + gap * (taps - 1) + extra + 1
        if has_value(length) and length < 1:
            raise ShapeError(
                f"along spatial dimension {axis} the output has {length} positions: padding {pad} is too large"
            )
        positions.append(length)
    return (b, channels, *positions)


def _spread_again(x: TensorSpec, weight: TensorSpec) -> Work:
    return Work(matmul_flops=2 * x.elements * prod(weight.shape[1:]))


@operator(
    "x: b c *space, weight: c i *kernel, bias?: o -> b channels *positions",
    infer=_spread,
    saves=SAVES,
    gradients={"x": _spread_again, "weight": _spread_again, "bias": _sum_of_g},
)
def convolution_transposed(x: TensorSpec, weight: TensorSpec, bias: TensorSpec | None, out: TensorSpec) -> Work:
    """The gradient of a convolution with respect to its input, as a layer: each element of x spreads the kernel.

    The weight is (c, o / groups, *kernel), as torch stores it. 2 FLOPs per multiply-add: 2 × elements of x ×
    o / groups × taps, those that padding then crops included (torch's counter): as many as the convolution whose
    gradient it is. 1 per output element for the bias.

    Backward: as many FLOPs again for x, and for the weight; 1 per output element for the bias, the sum of g.
    """
    flops = 2 * prod(x.shape) * prod(weight.shape[1:])
    return Work(matmul_flops=flops, vector_flops=prod(out.shape) if bias else 0)
