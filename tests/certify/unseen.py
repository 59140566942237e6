"""The products that torch's counter does not see, by formulas of their own, from the shapes of each call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from graphacct_torch.calls import CallRecord, TensorRecord
from graphacct_torch.captured import Captured


def _grouped(call: CallRecord) -> int:
    """Rows of x, each times the matrix of its group; or columns, where the groups divide what is summed over."""
    x, y = _tensors(call)[:2]
    return 2 * prod(x.shape) * y.shape[-1]


def _attention(call: CallRecord) -> int:
    """Scores and their product with the values."""
    q, k, v = _tensors(call)[:3]
    return 2 * prod(q.shape[:-1]) * k.shape[-2] * (q.shape[-1] + v.shape[-1])


def _vector(call: CallRecord) -> int:
    """A matrix or vector times a vector; `addmv` adds the first operand."""
    return 2 * prod(_tensors(call)[1 if "addmv" in call.func._schema.name else 0].shape)


def _recurrent(call: CallRecord) -> int:
    """The four gates of each step, of its input and of the state before it: one layer in one direction."""
    x, of_x, of_h = _tensors(call)[:3]
    return 2 * prod(x.shape[:-1]) * (prod(of_x.shape) + prod(of_h.shape))


def _triangular(call: CallRecord) -> int:
    """n (n - 1) / 2 multiply-adds a column of the right-hand side; divisions are none of them."""
    a, b = _tensors(call)[:2]
    return prod(b.shape) * (a.shape[-1] - 1)


def _distances(call: CallRecord) -> int:
    """|x|² - 2 x y + |y|² as one product of rows that are two longer."""
    x, y = _tensors(call)[:2]
    return 2 * prod(x.shape[:-1]) * y.shape[-2] * (x.shape[-1] + 2)


def _spectrum(_: CallRecord) -> int:
    """A Fourier transform is no product of matrices."""
    return 0


def _trilinear(call: CallRecord) -> int:
    """x W y for each row and output: two products."""
    x, weight, y = _tensors(call)[:3]
    sizes = [max(a, b, c) for a, b, c in zip(*_padded(call, x, weight, y), strict=True)]
    return 4 * prod(sizes)


def _padded(call: CallRecord, *tensors: TensorRecord) -> list[list[int]]:
    """The shapes of the operands of `_trilinear`, with the dimensions that it expands."""
    found = []
    for tensor, expanded in zip(tensors, call.args[3:6], strict=True):
        shape = list(tensor.shape)
        for dim in expanded:
            shape.insert(dim, 1)
        found.append(shape)
    return found


def _tensors(call: CallRecord) -> list[TensorRecord]:
    return [value for value in (*call.args, *call.kwargs.values()) if isinstance(value, TensorRecord)]


FORMULAS: Mapping[str, Callable[[CallRecord], int]] = {
    "_grouped_mm": _grouped,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "mv": _vector,
    "dot": _vector,
    "addmv": _vector,
    "mkldnn_rnn_layer": _recurrent,
    "linalg_solve_triangular": _triangular,
    "_fft_r2c": _spectrum,
    "_fft_c2c": _spectrum,
    "_fft_c2r": _spectrum,
    "_trilinear": _trilinear,
    "_euclidean_dist": _distances,
}


def unseen(captured: Captured) -> int:
    """Returns the FLOPs of a run's products that the counter does not see."""
    named: list[tuple[str, Any]] = [(call.func._schema.name.removeprefix("aten::"), call) for call in captured.calls]
    return sum(FORMULAS[name](call) for name, call in named if name in FORMULAS)
