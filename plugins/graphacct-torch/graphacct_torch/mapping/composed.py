"""Functions that are one operator, whichever calls they made: the user's with a cost, and torch's with kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphacct_torch.calls import WholeRecord
from graphacct_torch.mapping.mapped import Mapped, given
from graphacct_torch.mapping.own import as_stated


def as_one(whole: WholeRecord) -> Mapped:
    """Returns all calls of a function as one operator."""
    if isinstance(whole.stated, str):
        return FUNCTIONS[whole.stated](whole)
    return as_stated(whole.stated, whole.arguments, whole.outputs)


def _attention(whole: WholeRecord) -> Mapped:
    a = whole.arguments
    q, k = a["query"], a["key"]
    settings: dict[str, Any] = {
        "causal": bool(a.get("is_causal", False)),
        "dropout_p": a.get("dropout_p", 0.0),
        "scale": a.get("scale"),
    }
    if q.shape[1] != k.shape[1] and not a.get("enable_gqa"):
        settings["broadcast"] = True
    operands = given(q, k, a["value"], a.get("attn_mask"))
    return Mapped("scaled_dot_product_attention", operands, settings, makes=whole.outputs)


def _rms_norm(whole: WholeRecord) -> Mapped:
    a = whole.arguments
    weight = a.get("weight")
    settings = {} if weight is not None else {"normalized_shape": tuple(a["normalized_shape"])}
    return Mapped("rms_norm", given(a["input"], weight), settings, makes=whole.outputs)


FUNCTIONS: Mapping[str, Callable[[WholeRecord], Mapped]] = {
    "scaled_dot_product_attention": _attention,
    "rms_norm": _rms_norm,
}
"""torch's functions, by name."""
