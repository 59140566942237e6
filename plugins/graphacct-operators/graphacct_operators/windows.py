"""Windows that slide along a dimension: a view in which elements appear several times."""

from typing import Any

from graphacct import OperatorError, ShapeError, TensorSpec, Work, has_value, operator
from graphacct_operators.strides import strided, strides_of


def _unfolded(x: TensorSpec, *, dimension: int, size: Any, step: Any) -> TensorSpec:
    rank = len(x.shape)
    if not -rank <= dimension < rank:
        raise ShapeError(f"dimension {dimension} is out of range for {rank} dimensions")
    axis = dimension % rank
    for name, value in (("size", size), ("step", step)):
        if isinstance(value, (str, float, bool)) or value is None or (type(value) is int and value < 1):
            raise OperatorError(f"{name} must be a whole number of at least 1, not {value!r}")
    room = x.shape[axis] - size
    if has_value(room) and room < 0:
        raise ShapeError(f"dimension {axis} is {x.shape[axis]}, less than a window of {size}")
    count = (room if has_value(step) and step == 1 else room // step) + 1
    strides = strides_of(x)
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :], size)
    return strided(shape, (*strides[:axis], strides[axis] * step, *strides[axis + 1 :], strides[axis]), x.dtype)


@operator("x: ... -> ...", infer=_unfolded, view=True, gradients={"x": lambda out: Work(vector_flops=out.elements)})
def unfold() -> Work:
    """Windows of `size` every `step` elements along one dimension, each in a last dimension of its own
    (torch.Tensor.unfold): a view. No arithmetic.

    Backward: 1 per output element: g is added where it was read.
    """
    return Work()
