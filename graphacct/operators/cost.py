"""The cost record, and the conventions behind its numbers.

FLOPs. One multiply-add is 2 FLOPs; a multiply-add on its own is a MAC, and MACs are a separate quantity. A reduction
over n elements counts n operations, not n - 1, as the usual 2mnk of a matrix product does (torch's counter, XLA).
`matmul_flops` is the work of contractions (matrix products and convolutions): what tensor cores do, and what torch's
FLOP counter counts. `vector_flops` is all other arithmetic, at the factor per element that the operator documents:
one per add, subtract, multiply, divide, compare, square root, exponential and so on. `transcendentals` says how many
of the `vector_flops` are exp, log, tanh, erf, sin, cos, sqrt or rsqrt (XLA's second column); they are part of it,
not on top. Copies, casts, gathers and random numbers are bytes, not FLOPs; so is arithmetic whose operands and results
are all integers or bools.

Bytes. `read_bytes` and `write_bytes` are the traffic of the node run alone: each operand once and each output once,
nothing left in a hardware cache by the node before; a view moves nothing. `activation_bytes` is the storage that the
node's
outputs allocate: a view allocates none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import index
from typing import Any

import attrs

from graphacct.dims import Dim, has_value, is_array, is_symbol, is_traced
from graphacct.errors import OperatorError, brief
from graphacct.tensors import TensorSpec


@attrs.frozen(repr=False)
class Work:
    """What an operator's formula returns: the arithmetic of one application, and its memory traffic if that is special.

    Attributes:
        matmul_flops: FLOPs in contractions, 2 per multiply-add.
        vector_flops: All other FLOPs, transcendentals included.
        transcendentals: How many of the vector FLOPs are exp, log, tanh, erf, sin, cos, sqrt or rsqrt.
        read_bytes: Bytes read; None means every operand once.
        write_bytes: Bytes written; None means every output once.
    """

    matmul_flops: Dim = 0
    vector_flops: Dim = 0
    transcendentals: Dim = 0
    read_bytes: Dim | None = None
    write_bytes: Dim | None = None

    def __repr__(self) -> str:
        return f"<Work {self.matmul_flops} matmul FLOPs, {self.vector_flops} vector FLOPs>"

    def plus(self, other: Work, times: Dim = 1) -> Work:
        """Returns the arithmetic of both, the other's `times` times. Traffic is not added."""
        return Work(
            self.matmul_flops + other.matmul_flops * times,
            self.vector_flops + other.vector_flops * times,
            self.transcendentals + other.transcendentals * times,
        )


@attrs.frozen(repr=False)
class Cost:
    """The full cost of one node, for one pass through it.

    Attributes:
        matmul_flops: FLOPs in contractions, 2 per multiply-add.
        vector_flops: All other FLOPs, transcendentals included.
        transcendentals: How many of the vector FLOPs are transcendental.
        read_bytes: Bytes of the operands, each once (parameters included).
        write_bytes: Bytes of the outputs, each once.
        activation_bytes: Bytes of new storage that the outputs allocate; views allocate none.
    """

    matmul_flops: Dim = 0
    vector_flops: Dim = 0
    transcendentals: Dim = 0
    read_bytes: Dim = 0
    write_bytes: Dim = 0
    activation_bytes: Dim = 0

    def __repr__(self) -> str:
        moved = self.read_bytes + self.write_bytes
        return f"<Cost {self.matmul_flops} matmul FLOPs, {self.vector_flops} vector FLOPs, {moved} bytes moved>"

    @property
    def flops(self) -> Dim:
        """All FLOPs: contractions and the rest."""
        return self.matmul_flops + self.vector_flops

    @property
    def macs(self) -> Dim:
        """Multiply-adds of the contractions: half of `matmul_flops`, which is always even."""
        return self.matmul_flops / 2 if is_symbol(self.matmul_flops) else self.matmul_flops // 2

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.matmul_flops + other.matmul_flops,
            self.vector_flops + other.vector_flops,
            self.transcendentals + other.transcendentals,
            self.read_bytes + other.read_bytes,
            self.write_bytes + other.write_bytes,
            self.activation_bytes + other.activation_bytes,
        )

    def __mul__(self, times: Dim) -> Cost:
        return Cost(
            self.matmul_flops * times,
            self.vector_flops * times,
            self.transcendentals * times,
            self.read_bytes * times,
            self.write_bytes * times,
            self.activation_bytes * times,
        )

    __rmul__ = __mul__


def full_cost(work: Work, specs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], view: bool) -> Cost:
    """Returns the cost of work on operands (`moved`).

    Raises OperatorError for a figure that is negative or not a whole number, and for an odd number of matmul FLOPs.
    """
    flops = work.matmul_flops
    if has_value(flops) and flops % 2:
        raise OperatorError(f"its formula gave {flops} matmul_flops, an odd number: a multiply-add is 2")
    return sound(moved(work, specs, outputs, view), specs, "its formula gave")


def moved(work: Work, specs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], view: bool) -> Cost:
    """Returns work with the bytes that it moves: it reads each operand and writes each output once unless it says
    otherwise."""
    new = 0 if view else sum([spec.bytes for spec in outputs])
    read = work.read_bytes
    if read is None:
        read = 0 if view else sum([spec.bytes for spec in specs])
    written = new if work.write_bytes is None else work.write_bytes
    return Cost(work.matmul_flops, work.vector_flops, work.transcendentals, read, written, new)


def sound(cost: Cost, specs: Iterable[TensorSpec], who: str) -> Cost:
    """Returns the cost with plain ints as figures, if all sizes of the `specs` are ints.

    Raises OperatorError, whose message begins with `who`, for a figure that is negative or not a whole number.
    """
    if are_counts(cost):
        return cost
    whole = all(has_value(dim) for spec in specs for dim in spec.shape)
    return Cost(*[_count(value, whole, who) for value in _figures(cost)])


def are_counts(cost: Cost) -> bool:
    """Returns whether each figure of a cost is a plain int, 0 or more, as most are."""
    figures = _figures(cost)
    return {*map(type, figures)} == {int} and bool(min(figures) >= 0)


def _figures(cost: Cost) -> tuple[Dim, ...]:
    return (
        cost.matmul_flops,
        cost.vector_flops,
        cost.transcendentals,
        cost.read_bytes,
        cost.write_bytes,
        cost.activation_bytes,
    )


def _count(value: Any, whole: bool, who: str) -> Dim:
    """Returns one figure as a count; `whole` says that all sizes are ints."""
    if is_array(value) or (is_symbol(value) and not (whole and value.is_number)):
        return value
    if is_traced(value):
        if value < 0:
            raise OperatorError(f"{who} {brief(value)}")
        return value
    if isinstance(value, float):
        if whole:
            raise OperatorError(f"{who} {value!r} for whole sizes; use exact_div or // instead of /")
        return value  # numpy's, of a sweep
    try:
        count = index(value)  # numpy's and sympy's integers too: a report has plain ones
    except TypeError:
        raise OperatorError(f"{who} {brief(value)}, which is no integer") from None
    if count < 0:
        raise OperatorError(f"{who} {brief(count)}")
    return count
