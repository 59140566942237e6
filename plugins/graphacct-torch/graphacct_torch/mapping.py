"""The aten operators that map onto graphacct's own, a line each.

A rule is given the call's arguments by the names of the operator's schema, with TensorRecords for tensors, and returns
a `Mapped`: the operator, its operands and its attributes. `ALIAS` leaves a call out: its result is its first operand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from graphacct_torch.calls import CallRecord, TensorRecord

NOTHING: Mapping[str, Any] = {}


@attrs.frozen
class Mapped:
    """What a call is in graphacct's words.

    Attributes:
        operator: The operator's name.
        operands: Its operands, in its order.
        attributes: Its arguments that are no tensors.
        outputs: Which of the call's results are the operator's outputs, in its order; the others are never read.
    """

    operator: str
    operands: tuple[TensorRecord, ...]
    attributes: Mapping[str, Any] = NOTHING
    outputs: tuple[int, ...] = (0,)


Rule: TypeAlias = Callable[[CallRecord, dict[str, Any]], "Mapped | None"]


def unary(operator: str, **attributes: Any) -> Rule:
    """Returns the rule of an operator of one tensor, `self`."""
    return lambda call, a: Mapped(operator, (a["self"],), attributes)


def binary(operator: str, constant: str) -> Rule:
    """Returns the rule of an operator of two tensors; `constant` is the operator for a tensor and a number."""

    def rule(call: CallRecord, a: dict[str, Any]) -> Mapped:
        if isinstance(a["other"], TensorRecord):
            return Mapped(operator, (a["self"], a["other"]))
        return Mapped(constant, (a["self"],))

    return rule


def _reshaped(call: CallRecord, a: dict[str, Any]) -> Mapped:
    return Mapped("reshape", (a["self"],), {"shape": call.outputs[0].shape})


def _transposed(call: CallRecord, a: dict[str, Any]) -> Mapped:
    rank = len(a["self"].shape)
    dims = (a["dim0"] % rank, a["dim1"] % rank) if "dim0" in a else (0, 1)
    return Mapped("transpose", (a["self"],), {"dims": dims})


def _permuted(call: CallRecord, a: dict[str, Any]) -> Mapped:
    return Mapped("permute", (a["self"],), {"dims": tuple(a["dims"])})


def _expanded(call: CallRecord, a: dict[str, Any]) -> Mapped:
    return Mapped("expand", (a["self"],), {"shape": call.outputs[0].shape})


def _product(call: CallRecord, a: dict[str, Any]) -> Mapped:
    return Mapped("matmul", (a["self"], a["mat2"]))


def _sum_and_product(call: CallRecord, a: dict[str, Any]) -> Mapped:
    return Mapped("linear_in_out", (a["mat1"], a["mat2"], a["self"]))


def _embedded(call: CallRecord, a: dict[str, Any]) -> Mapped:
    return Mapped("embedding", (a["indices"], a["weight"]))


def _normalized(call: CallRecord, a: dict[str, Any]) -> Mapped:
    scaled = tuple(a[name] for name in ("weight", "bias") if a[name] is not None)
    return Mapped("layer_norm", (a["input"], *scaled))


def _activated(call: CallRecord, a: dict[str, Any]) -> Mapped:
    return Mapped("gelu" if a["approximate"] == "none" else "gelu_tanh", (a["self"],))


def _softmax(operator: str) -> Rule:
    return lambda call, a: Mapped(operator, (a["self"],))


def _cast(call: CallRecord, a: dict[str, Any]) -> Mapped:
    made = call.outputs[0]
    if made.dtype == a["self"].dtype:
        return Mapped("clone", (a["self"],))
    return Mapped("cast", (a["self"],), {"dtype": made.dtype})


def _reduced(operator: str) -> Rule:
    def rule(call: CallRecord, a: dict[str, Any]) -> Mapped:
        rank = len(a["self"].shape)
        dims = [dim % rank for dim in a.get("dim") or range(rank)]
        return Mapped(operator, (a["self"],), {"dims": dims, "keepdim": bool(a.get("keepdim"))})

    return rule


TABLE: dict[str, Rule | None] = {
    "aten._softmax.default": _softmax("softmax"),
    "aten._to_copy.default": _cast,
    "aten._unsafe_view.default": _reshaped,
    "aten.add.Tensor": binary("add", "shift"),
    "aten.addmm.default": _sum_and_product,
    "aten.alias.default": None,
    "aten.bmm.default": _product,
    "aten.clone.default": unary("clone"),
    "aten.cos.default": unary("cos"),
    "aten.detach.default": None,
    "aten.div.Tensor": binary("div", "scale"),
    "aten.embedding.default": _embedded,
    "aten.exp.default": unary("exp"),
    "aten.expand.default": _expanded,
    "aten.gelu.default": _activated,
    "aten.mean.dim": _reduced("mean"),
    "aten.mm.default": _product,
    "aten.mul.Tensor": binary("mul", "scale"),
    "aten.native_layer_norm.default": _normalized,
    "aten.neg.default": unary("neg"),
    "aten.permute.default": _permuted,
    "aten.relu.default": unary("relu"),
    "aten.rsqrt.default": unary("rsqrt"),
    "aten.sigmoid.default": unary("sigmoid"),
    "aten.silu.default": unary("silu"),
    "aten.sin.default": unary("sin"),
    "aten.squeeze.dim": _reshaped,
    "aten.sub.Tensor": binary("sub", "shift"),
    "aten.t.default": _transposed,
    "aten.tanh.default": unary("tanh"),
    "aten.transpose.int": _transposed,
    "aten.unsqueeze.default": _reshaped,
    "aten.view.default": _reshaped,
}
"""The rule of each aten operator, by its name; None leaves the call out."""
