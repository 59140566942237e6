"""The decorator that makes an Operator of a formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphacct.dims import Dim
from graphacct.errors import SignatureError
from graphacct.operators.arguments import keywords_of
from graphacct.operators.cost import Work
from graphacct.operators.mask import Mask
from graphacct.operators.operator import Operator
from graphacct.operators.saved import Saved
from graphacct.operators.signature import parse

PARTS = ("", "weights", "whole")


def operator(
    signature: str,
    *,
    name: str = "",
    contracts: Sequence[str] = (),
    saves: Mapping[str, str] | Sequence[Saved] = (),
    view: bool | Callable[..., bool] = False,
    infer: Callable[..., Any] | None = None,
    dtype: str = "",
    replaces: bool = False,
    gradients: Mapping[str, Callable[..., Work]] | None = None,
    recomputes: Callable[..., Work] | None = None,
    preexisting: bool = False,
    attention: str = "",
    preserves_layout: bool | str = False,
    caches: Callable[..., Dim] | None = None,
    caches_next: Callable[..., Dim] | None = None,
    stacks: bool = False,
    argument: bool = False,
    gradient_from_output: bool = False,
    known_as: Sequence[str] = (),
    more_operands: str = "",
    by_rule: bool = False,
    stops_gradient: bool = False,
    states_parts: bool = False,
    starts_gradient: bool = False,
    writes_through: bool = False,
    role: str = "",
    pairs: str = "",
    sees: Callable[..., Mask | None] | None = None,
) -> Callable[[Callable[..., Work | None]], Operator]:
    """Makes the decorated formula an Operator. Its name is the function's unless `name` is given.

    `signature` is written in the language of `signature.py`; the other arguments are the fields of Operator.
    `saves` may be a mapping from operand or output to the reason.

    Raises SignatureError when the signature cannot be read, or when it, `contracts`, `saves` and the functions'
    arguments do not agree.
    """
    parsed = parse(signature)
    if attention not in PARTS:
        raise SignatureError(f"an operator's part in attention is 'weights' or 'whole', not {attention!r}")
    for dim in pairs.split():
        if ("dim" not in parsed.sources.get(dim, ())) or len(pairs.split()) != 2:
            raise SignatureError(f"pairs are two dimensions of the signature, not {pairs!r}: {signature!r}")
    saved = tuple(Saved(*item) for item in saves.items()) if isinstance(saves, Mapping) else tuple(saves)
    terms = {term.name for term in parsed.inputs}
    known = terms | {term.name for term in parsed.outputs}

    def decorate(formula: Callable[..., Work | None]) -> Operator:
        title = name or formula.__name__
        for operand in contracts:
            if operand not in terms:
                raise SignatureError(f"operator {title!r} contracts {operand!r}, which {signature!r} does not have")
        for item in saved:
            if item.name not in known and item.dims is None:
                raise SignatureError(
                    f"operator {title!r} saves {item.name!r}, which {signature!r} does not have; "
                    "a tensor of its own needs Saved(name, why, dims)"
                )
        attributes: dict[str, Any] = {}
        for operand in gradients or ():
            if operand != "*" and operand not in terms:
                raise SignatureError(
                    f"operator {title!r} has a gradient of {operand!r}, which {signature!r} does not have"
                )
        kept = [item.dims for item in saved]
        others = (infer, view, recomputes, sees, caches, caches_next, *(gradients or {}).values(), *kept)
        for function in (*others, formula):
            if callable(function):
                attributes.update(keywords_of(function))
        for dim in parsed.unbound():
            if infer is None and dim not in attributes:
                raise SignatureError(f"operator {title!r}: nothing gives the output's dimension {dim!r}")
        return Operator(
            title,
            parsed,
            formula,
            tuple(contracts),
            saved,
            view,
            infer,
            dtype,
            _dedent(formula.__doc__),
            replaces,
            gradients or {},
            recomputes,
            attributes,
            preexisting,
            attention,
            preserves_layout,
            caches,
            caches_next,
            stacks,
            argument,
            gradient_from_output,
            tuple(known_as),
            more_operands,
            by_rule,
            stops_gradient,
            states_parts,
            starts_gradient,
            writes_through,
            role,
            pairs,
            sees,
        )

    return decorate


def _dedent(doc: str | None) -> str:
    return " ".join((doc or "").split())
