"""Operators along rows: norms, softmax, reductions, running sums, the largest."""

from __future__ import annotations

from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped, Rule, axis, given


def layer_norm(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("layer_norm", given(a["input"], a["weight"], a["bias"]))


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
        if operator == "sum" and call.outputs[0].dtype != x.dtype:
            settings["dtype"] = call.outputs[0].dtype
        return Mapped(operator, (x,), settings)

    return rule


def running_sum(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("cumsum", (a["self"],), {"dim": axis(a["dim"], a["self"])})


def largest(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("topk", (a["self"],), {"k": a["k"]}, (0, 1))
