"""Operators along rows: norms, softmax, reductions, running sums, the largest."""

from __future__ import annotations

from typing import Any

from graphacct import prod
from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped, Rule, axis, in_dtype, in_order


def layer_norm(call: CallRecord, a: Arguments) -> Mapped:
    """Over the last dimension; over several as over one of their size, which is a view."""
    x, width = a["input"], prod(a["normalized_shape"])
    operands = in_order(call, "layer_norm", input=x, weight=a["weight"], bias=a["bias"])
    if len(a["normalized_shape"]) == 1:
        return Mapped("layer_norm", operands)
    shapes = [(*x.shape[: -len(a["normalized_shape"])], width), (width,), (width,)]
    flat = [Mapped("reshape", (tensor,), {"shape": shape}) for tensor, shape in zip(operands, shapes, strict=False)]
    return Mapped("reshape", (Mapped("layer_norm", tuple(flat)),), {"shape": x.shape})


def group_norm(call: CallRecord, a: Arguments) -> Mapped:
    operands = in_order(call, "group_norm", input=a["input"], weight=a["weight"], bias=a["bias"])
    return Mapped("group_norm", operands, {"groups": a["group"]})


def batch_norm(call: CallRecord, a: Arguments) -> Mapped:
    """With running statistics and no weight they stand in its place."""
    names = ("input", "weight", "bias", "running_mean", "running_var")
    alone = a["weight"] is None and a["bias"] is None and a["running_mean"] is not None
    tensors = {name: a[name] for name in names if not alone or name not in ("weight", "bias")}
    settings = {"training": bool(a["training"])} | ({"affine": False} if alone else {})
    return Mapped("batch_norm", in_order(call, "batch_norm", **tensors), settings)


def softmax(operator: str) -> Rule:
    return lambda call, a: Mapped(operator, (a["self"],))


def reduced(operator: str) -> Rule:
    def rule(call: CallRecord, a: Arguments) -> Mapped:
        dims = a.get("dim")
        x = a["self"]
        found = range(len(x.shape)) if dims in (None, []) else [dims] if isinstance(dims, int) else dims
        settings = {"dim": tuple(axis(dim, x) for dim in found), "keepdim": bool(a.get("keepdim"))}
        if operator in ("sum", "mean", "prod", "nansum") and call.outputs[0].dtype != x.dtype:
            settings["dtype"] = call.outputs[0].dtype
        if "correction" in a:
            settings["correction"] = 1 if a["correction"] is None else a["correction"]
        outputs = (0, 1) if operator.endswith("_mean") else (0,)
        return Mapped(operator, (x,), settings, outputs)

    return rule


def extremes(call: CallRecord, a: Arguments) -> Mapped:
    """`aminmax`: over one dimension, or all."""
    x = a["self"]
    settings = {"keepdim": bool(a["keepdim"])} | ({} if a["dim"] is None else {"dim": axis(a["dim"], x)})
    return Mapped("aminmax", (x,), settings, (0, 1))


def counted(call: CallRecord, a: Arguments) -> Mapped:
    """`count_nonzero`: over some dimensions, or all."""
    x, dims = a["self"], a["dim"]
    found = range(len(x.shape)) if dims is None else [dims] if isinstance(dims, int) else dims
    return Mapped("count_nonzero", (x,), {"dim": tuple(axis(dim, x) for dim in found)})


def distinct(call: CallRecord, a: Arguments) -> Mapped:
    """`unique` in all its forms, where the values, and so the sizes, are known."""
    values, places, counts = call.outputs
    dim = a.get("dim")
    settings: dict[str, Any] = {"count": values.shape[0 if dim is None else axis(dim, a["self"])]}
    settings |= {} if dim is None else {"dim": axis(dim, a["self"])}
    settings |= {"inverse": places.shape != (0,), "counts": counts.shape != (0,)}
    settings |= {"consecutive": True} if "consecutive" in call.name else {}
    return Mapped("unique", (a["self"],), settings, (0, 1, 2))


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
