"""Operators along rows: norms, softmax, reductions, running sums, the largest."""

from __future__ import annotations

from typing import Any

from graphacct import prod
from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped, Rule, axis, given, in_dtype


def layer_norm(call: CallRecord, a: Arguments) -> Mapped:
    """Over the last dimension; over several as over one of their size, which is a view."""
    x, width = a["input"], prod(a["normalized_shape"])
    operands = given(x, a["weight"], a["bias"])
    if len(a["normalized_shape"]) == 1:
        return Mapped("layer_norm", operands)
    shapes = [(*x.shape[: -len(a["normalized_shape"])], width), (width,), (width,)]
    flat = [Mapped("reshape", (tensor,), {"shape": shape}) for tensor, shape in zip(operands, shapes, strict=False)]
    return Mapped("reshape", (Mapped("layer_norm", tuple(flat)),), {"shape": x.shape})


def group_norm(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("group_norm", given(a["input"], a["weight"], a["bias"]), {"groups": a["group"]})


def batch_norm(call: CallRecord, a: Arguments) -> Mapped:
    operands = given(a["input"], a["weight"], a["bias"], a["running_mean"], a["running_var"])
    return Mapped("batch_norm", operands, {"training": bool(a["training"])})


def softmax(operator: str) -> Rule:
    return lambda call, a: Mapped(operator, (a["self"],))


def reduced(operator: str) -> Rule:
    def rule(call: CallRecord, a: Arguments) -> Mapped:
        dims = a.get("dim")
        x = a["self"]
        found = range(len(x.shape)) if dims in (None, []) else [dims] if isinstance(dims, int) else dims
        settings = {"dim": tuple(axis(dim, x) for dim in found), "keepdim": bool(a.get("keepdim"))}
        if operator in ("sum", "mean", "prod") and call.outputs[0].dtype != x.dtype:
            settings["dtype"] = call.outputs[0].dtype
        if "correction" in a:
            settings["correction"] = 1 if a["correction"] is None else a["correction"]
        outputs = (0, 1) if operator.endswith("_mean") else (0,)
        return Mapped(operator, (x,), settings, outputs)

    return rule


def vector_norm(call: CallRecord, a: Arguments) -> Mapped:
    x, order = a["self"], a.get("ord", a.get("p"))
    settings: dict[str, Any] = {"ord": 2 if order is None else order, "keepdim": bool(a.get("keepdim"))}
    if a.get("dim"):
        settings["dim"] = tuple(axis(dim, x) for dim in a["dim"])
    return Mapped("vector_norm", (x,), settings | in_dtype(x, call))


def running(operator: str) -> Rule:
    def rule(call: CallRecord, a: Arguments) -> Mapped:
        x, made = a["self"], call.outputs[0]
        settings = {"dim": axis(a["dim"], x)} | ({"dtype": made.dtype} if made.dtype != x.dtype else {})
        return Mapped(operator, (x,), settings)

    return rule


def largest(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("topk", (a["self"],), {"k": a["k"], "dim": axis(a["dim"], a["self"])}, (0, 1))
