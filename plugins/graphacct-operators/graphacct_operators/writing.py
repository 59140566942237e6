"""Writing into a tensor that is there, whole or through a view of it. They are called with `in_place=True`.

part = slice(x, dim=1, start=0, length=4)               # a view of x
part = copy_into(part, y, in_place=True)                # x[:, :4] = y: one kernel, which writes the part
x = written_through(x, part)                            # x as it is now, in its own storage
"""

from typing import Any

from graphacct import TensorSpec, Work, operator
from graphacct_operators.gradient import nothing
from graphacct_operators.strides import check_broadcasts


@operator("x: ... -> ...", gradients={"x": nothing}, preserves_layout=True)
def fill(x: TensorSpec) -> Work:
    """A constant, or random numbers, in place of every element of x, which is not read. 0 FLOPs.

    Backward: zeros, written.
    """
    return Work(read_bytes=0, write_bytes=x.bytes)


def _like_x(x: TensorSpec, source: TensorSpec) -> TensorSpec:
    check_broadcasts(source, x.shape, "source", "x")
    return TensorSpec(x.shape, x.dtype, x.strides)


@operator("x: *to, source: *from -> *out", infer=_like_x, gradients={"x": nothing, "source": nothing})
def copy_into(x: TensorSpec, source: TensorSpec) -> Work:
    """The elements of another tensor, repeated to x's shape and in x's dtype, in place of those of x, which is not
    read. 0 FLOPs.

    Backward: zeros for x, written; g itself for the other tensor.
    """
    return Work(read_bytes=source.bytes, write_bytes=x.bytes)


def _whole(x: TensorSpec) -> TensorSpec:
    return x


@operator("x: *whole, part: *view -> *out", view=True, infer=_whole, writes_through=True)
def written_through(x: Any) -> Work:
    """x after a view of it was written into: the same storage. 0 FLOPs and no bytes, as a view; the
    operator that wrote has them.

    Backward: a copy of g, and one of the part that was overwritten; the part's gradient is written into the first.
    Bytes, no FLOPs.
    """
    return Work()
