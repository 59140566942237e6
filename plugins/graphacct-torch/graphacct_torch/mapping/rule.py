"""The general rule: an operator without a line in the table costs what its kind costs, as torch's own tags say it.

Element-wise and reducing operators are tagged as such. A result in an operand's storage is a view; what only moves
elements, or works on integers alone, has bytes and no FLOPs; what has no operands makes a tensor. The coverage of a
report names all that is costed so.
"""

from __future__ import annotations

from typing import Any

import torch

from graphacct import FLOATING
from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.creation import made
from graphacct_torch.mapping.mapped import Arguments, Mapped, Rule

FACTORS = {
    "addcdiv": 3,
    "addcmul": 3,
    "celu": 5,
    "frac": 2,
    "lerp": 3,
    "logit": 3,
    "polar": 4,
    "rrelu_with_noise": 2,
    "sinc": 3,
    "special_entr": 3,
    "special_xlog1py": 3,
    "xlogy": 2,
}
"""FLOPs per output element of element-wise operators that are composed of several; all others are 1 by rule, functions
of a mathematical library among them, as XLA counts them. Of complex numbers each is twice that, once for each part."""

_MOVES = (
    "as_strided_scatter block_diag copy diagonal_scatter fill flip index_copy index_fill masked_scatter "
    "masked_select normal bernoulli binomial poisson uniform exponential log_normal cauchy geometric "
    "random "
    "put take reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d "
    "replication_pad3d "
    "repeat_interleave resize rot90 select_scatter slice_scatter to_dense unfold_copy zero"
)
KEEPS_RESULT = frozenset(["copysign", "special_erfcx", "special_i0e", "special_i1", "special_i1e", "special_log_ndtr"])
"""Element-wise operators whose gradient needs their result beside their operands (torch 2.13, derivatives.yaml)."""
KEEPS_ONLY_RESULT = frozenset(["exp2", "expm1", "rsqrt", "sigmoid", "special_ndtri", "tan", "tanh"])
KEEPS_NOTHING = frozenset(("round",))
KEEPS_OPERANDS = frozenset(("var",))
"""Reductions whose gradient needs no result."""
ELEMENT_WISE = frozenset(("complex", "isin", "polar", "rrelu_with_noise"))
"""Operators that torch does not tag as element-wise, and are."""
MOVES = frozenset(_MOVES.split())
"""Operators that move, fill or draw elements and compute nothing."""


_IN_PARTS = (
    "_to_copy abs add angle clone complex cos cumsum div eq exp log logical_not masked_fill mean mul ne neg "
    "polar pow prod reciprocal scatter_add sgn sin sqrt sub sum where"
)
IN_PARTS = frozenset(_IN_PARTS.split())
"""Operators whose counterparts count the parts of complex numbers, or only move them; all other element-wise ones and
reductions of complex numbers are costed by rule."""


def unknown_in_parts(call: CallRecord) -> bool:
    """Whether a call computes with complex numbers by an operator that counts real ones alone."""
    if not any(tensor.dtype.startswith("complex") for tensor in call.operands):
        return False
    computes = torch.Tag.pointwise in call.func.tags or torch.Tag.reduction in call.func.tags
    return computes and call.name.split(".")[1].rstrip("_") not in IN_PARTS | MOVES


def by_tags(call: CallRecord) -> Rule | None:
    """Returns the rule of a call's kind; None if nothing says what kind it is."""
    operands, tags = call.operands, call.func.tags
    word = call.name.split(".")[1].rstrip("_")
    if not call.outputs:
        return None
    if not operands:
        return made
    stored = {operand.storage.index for operand in operands}
    if not call.name.split(".")[1].endswith("_") and all(output.storage.index in stored for output in call.outputs):
        return _by_rule("move_by_rule", view=True)
    if word in MOVES or torch.Tag.view_copy in tags:
        return _by_rule("move_by_rule")
    parts = 2 if any(tensor.dtype.startswith("complex") for tensor in (*operands, *call.outputs)) else 1
    if torch.Tag.pointwise in tags or word in ELEMENT_WISE:
        return _by_rule("pointwise_by_rule", **_of_word(word, parts))
    if torch.Tag.reduction in tags:
        settings = {"factor": parts} if parts > 1 else {}
        return _by_rule("reduction_by_rule", **settings, **({"keeps_out": False} if word in KEEPS_OPERANDS else {}))
    if not any(tensor.dtype in FLOATING for tensor in (*operands, *call.outputs)):
        return _by_rule("move_by_rule")
    return None


def _of_word(word: str, parts: int) -> dict[str, Any]:
    """The attributes of an element-wise operator that are not those of all."""
    factor = FACTORS.get(word, 1) * parts
    settings: dict[str, Any] = {"factor": factor} if factor > 1 else {}
    if word in KEEPS_RESULT or word in KEEPS_ONLY_RESULT:
        settings["keeps_out"] = True
    if word in KEEPS_ONLY_RESULT or word in KEEPS_NOTHING:
        settings["keeps_operands"] = False
    return settings


def _by_rule(operator: str, **settings: Any) -> Rule:
    def rule(call: CallRecord, a: Arguments) -> Mapped:
        first, *more = call.outputs
        attributes = {"of": call.name.rpartition(".")[0], "shape": first.shape, "dtype": first.dtype, **settings}
        if more:
            attributes["more"] = tuple((tensor.shape, tensor.dtype) for tensor in more)
        word = call.name.split(".")[1].strip("_")
        return Mapped(operator, tuple(call.operands), attributes, tuple(range(len(call.outputs))), of=word)

    return rule
