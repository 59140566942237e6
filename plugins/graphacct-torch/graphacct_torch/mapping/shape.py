"""Views and copies."""

from __future__ import annotations

from typing import Any

from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped, axis


def reshaped(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("reshape", (a["self"],), {"shape": call.outputs[0].shape})


def restrided(call: CallRecord, a: Arguments) -> Mapped:
    """`as_strided`: of the same shape a view in another order, and otherwise of what lies in the storage."""
    made = call.outputs[0]
    if made.shape == a["self"].shape:
        return reshaped(call, a)
    settings = {"of": "aten.as_strided", "shape": made.shape, "dtype": made.dtype, "view": True}
    return Mapped("move_by_rule", (a["self"],), settings, of="as_strided")


def turned(call: CallRecord, a: Arguments) -> Mapped:
    """`t`: two dimensions swapped; a vector stays as it is."""
    if len(a["self"].shape) < 2:
        return reshaped(call, a)
    return Mapped("transpose", (a["self"],), {"dims": (0, 1)})


def transposed(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("transpose", (a["self"],), {"dims": (axis(a["dim0"], a["self"]), axis(a["dim1"], a["self"]))})


def permuted(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("permute", (a["self"],), {"dims": tuple(axis(dim, a["self"]) for dim in a["dims"])})


def expanded(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("expand", (a["self"],), {"shape": call.outputs[0].shape})


def selected(call: CallRecord, a: Arguments) -> Mapped:
    dim = axis(a["dim"], a["self"])
    return Mapped("select", (a["self"],), {"dim": dim, "index": a["index"] % a["self"].shape[dim]})


def sliced(call: CallRecord, a: Arguments) -> Mapped:
    dim = axis(a["dim"], a["self"])
    size, length = a["self"].shape[dim], call.outputs[0].shape[dim]
    start = a["start"] or 0
    start = min(start, size) if start >= 0 else max(start + size, 0)
    return Mapped("slice", (a["self"],), {"dim": dim, "start": start, "length": length})


def split(call: CallRecord, a: Arguments) -> Mapped:
    dim = axis(a["dim"], a["self"])
    sizes = tuple(output.shape[dim] for output in call.outputs)
    return Mapped("split", (a["self"],), {"sizes": sizes, "dim": dim}, tuple(range(len(call.outputs))))


def unbound(call: CallRecord, a: Arguments) -> Mapped:
    dim = axis(a["dim"], a["self"])
    return Mapped("unbind", (a["self"],), {"dim": dim}, tuple(range(len(call.outputs))))


def stacked(call: CallRecord, a: Arguments) -> Mapped:
    """A concatenation of tensors with one more dimension each."""
    made = call.outputs[0]
    dim = axis(a["dim"], made)
    tensors = [
        Mapped("reshape", (tensor,), {"shape": (*tensor.shape[:dim], 1, *tensor.shape[dim:])})
        for tensor in a["tensors"]
    ]
    return Mapped("concat", tuple(tensors), {"dim": dim})


def concatenated(call: CallRecord, a: Arguments) -> Mapped:
    tensors = [tensor for tensor in a["tensors"] if tensor.shape != (0,)]  # torch leaves empty ones out
    return Mapped("concat", tuple(tensors), {"dim": axis(a["dim"], call.outputs[0])})


def cast(call: CallRecord, a: Arguments) -> Mapped:
    made = call.outputs[0]
    if made.dtype == a["self"].dtype:
        return Mapped("clone", (a["self"],))
    return Mapped("cast", (a["self"],), {"dtype": made.dtype})


def cloned(call: CallRecord, a: Arguments) -> Mapped:
    """A copy in the order of x, or in row-major order, which is a `contiguous` if x has another."""
    x, made = a["self"], call.outputs[0]
    asked = str(a["memory_format"]) == "torch.contiguous_format"
    return Mapped("contiguous" if asked and x.strides != made.strides else "clone", (x,))


def padded(call: CallRecord, a: Arguments) -> Mapped:
    """torch gives the pairs of the last dimension first."""
    pad = a["pad"]
    pairs: list[tuple[Any, Any]] = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    return Mapped("pad", (a["self"],), {"padding": tuple(reversed(pairs))})


def rolled(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("roll", (a["self"],))


def repeated(call: CallRecord, a: Arguments) -> Mapped:
    """More counts than dimensions: those in front are 1 first."""
    times, x = tuple(a["repeats"]), a["self"]
    more = len(times) - len(x.shape)
    operand = Mapped("reshape", (x,), {"shape": (1,) * more + x.shape}) if more else x
    return Mapped("repeat", (operand,), {"times": times})


def packed(call: CallRecord, a: Arguments) -> Mapped:
    """The steps of padded sequences one after the other, and how many sequences each has."""
    rows, sizes = call.outputs
    return Mapped("pack_padded", (a["input"],), {"rows": rows.shape[0], "steps": sizes.shape[0]}, (0, 1))
