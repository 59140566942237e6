"""The arguments of an operator's functions: each asks by name for what it needs of a call.

A positional argument is a dimension of the signature, `batch`, an operand or an output; those of gradients may also be
`which` and `wanted`, and those of attention `pairs`. A keyword-only argument is an attribute, with its default. Where
each comes from is found once, when the operator is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any, TypeAlias

from graphacct.dims import Dim, prod
from graphacct.errors import SignatureError, suggest
from graphacct.operators.signature import Signature
from graphacct.tensors import TensorSpec

Plan: TypeAlias = tuple[tuple[tuple[str, str, int], ...], tuple[str, ...]]
"""Where each positional argument of a function comes from, and the names of its other arguments."""
ASKED = {"which": ("which", "asked", 0), "wanted": ("wanted", "asked", 1)}
"""What only the functions of gradients may ask for."""
PAIRS = "pairs"
"""The pairs of a query and a key that are counted; what an operator that declares its `pairs` may ask for."""


def plan(
    function: Callable[..., Any], signature: Signature, operator: str, gradient: bool = False, pairs: str = ""
) -> Plan:
    """Returns the plan of a function of an operator, of the work of gradients or another. `pairs` are the two
    dimensions whose pairs a mask hides.

    Raises SignatureError for an argument that neither a dimension nor an operand is named.
    """
    known = {**ASKED, **signature.sources} if gradient else signature.sources
    if pairs:
        known = {**known, PAIRS: (pairs, PAIRS, 0)}
    code: CodeType = function.__code__
    names = code.co_varnames[: code.co_argcount]
    for name in names:
        if name not in known:
            raise SignatureError(
                f"operator {operator!r}: {function.__name__} asks for {name!r}, which is neither a dimension nor "
                f"an operand of {signature.text!r}{suggest(name, known)} (attributes stand after '*')"
            )
    return tuple(known[name] for name in names), tuple(keywords_of(function))


def arguments(
    plan: Plan,
    dims: Mapping[str, Dim],
    batch: tuple[Dim, ...],
    specs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    asked: tuple[int, tuple[bool, ...]],
) -> list[Any]:
    """Returns the positional arguments of a call. `asked` is for a gradient: which operand's it is, and whose are
    wanted."""
    values: list[Any] = []
    for name, kind, index in plan[0]:
        if kind == "dim":
            values.append(dims.get(name))
        elif kind == "batch":
            values.append(prod(batch))
        elif kind == "operand":
            values.append(specs[index] if index < len(specs) else None)
        elif kind == "output":
            values.append(outputs[index])
        elif kind == "asked":
            values.append(asked[index])
        elif kind == PAIRS:
            values.append(dims[PAIRS] if PAIRS in dims else prod([dims[dim] for dim in name.split()]))
        else:
            values.append(tuple(specs[index:]))
    return values


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()
"""The default of an attribute that has none."""


def keywords_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Returns the keyword-only arguments of a function and their defaults."""
    code: CodeType = function.__code__
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    defaults = function.__kwdefaults__ or {}
    return {name: defaults.get(name, REQUIRED) for name in names}
