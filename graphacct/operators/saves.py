"""What an operator's backward pass saves, as tensors: `Operator.saves` evaluated for operands of certain specs.

This is what one operator declares, as torch saves it on CUDA. An operator does not know storages: two of its tensors
may share one, and parameters are among them. `saved_storages` gives the union over a graph.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from graphacct.dims import Dim
from graphacct.errors import OperatorError, suggest
from graphacct.operators.application import Application
from graphacct.operators.operator import Operator
from graphacct.operators.saved import Saved
from graphacct.tensors import TensorSpec

OPERAND, OUTPUT, OWN = "operand", "output", "own"


@attrs.frozen(eq=False, repr=False)
class SavedTensor:
    """One tensor that an application of an operator saves for its backward pass.

    Attributes:
        name: The operand's or output's name in the signature, or the tensor's own.
        spec: Its shape and dtype.
        kind: `operand`, `output`, or `own` for storage that nothing but the backward pass uses.
        index: Which operand or output it is; 0 for a tensor of its own.
        why: The reason, as the operator states it.
    """

    name: str
    spec: TensorSpec
    kind: str
    index: int
    why: str


def saved_tensors(
    operator: Operator,
    specs: Sequence[TensorSpec],
    attributes: Mapping[str, Any] | None = None,
    wanted: Collection[str] | None = None,
) -> list[SavedTensor]:
    """Returns what the operator saves for operands of these specs; an absent optional operand is left out.

    `wanted` names the operands whose gradient will be computed; None means all of them.

    Raises ShapeError and OperatorError as `Operator.apply` does, and OperatorError for a saved tensor whose dimensions
    nothing gives.
    """
    given = {**operator.attributes, **(attributes or {})}
    application = operator.apply(specs, attributes or {})
    found: list[SavedTensor] = []
    for item in operator.saves:
        if item.if_attribute and not given.get(item.if_attribute):
            continue
        if item.needed_for and wanted is not None and not set(item.needed_for.split()) & set(wanted):
            continue
        if item.dims is not None:
            dtype = _dtype(operator, item.dtype, specs, application.outputs)
            for shape in _shapes(operator, item, application, specs, attributes or {}):
                found.append(SavedTensor(item.name, TensorSpec(shape, dtype), OWN, 0, item.why))
            continue
        places = _places(operator, item.name, specs, application.outputs)
        if application.in_place and operator.gradient_from_output and places[:1] == [(OPERAND, 0, specs[0])]:
            output = operator.signature.outputs[0].name
            places, item = [(OUTPUT, 0, application.outputs[0])], attrs.evolve(item, name=output)
        for kind, index, spec in places:
            found.append(SavedTensor(item.name, spec, kind, index, item.why))
    return found


def remembered(
    operator: Operator,
    application: Application | None,
    specs: Sequence[TensorSpec],
    attributes: Mapping[str, Any],
    wanted: tuple[bool, ...] | None,
) -> Sequence[SavedTensor]:
    """Returns what `saved_tensors` does for an application of the operator to operands of these specs, computed once.

    `wanted` says for each operand whether its gradient will be computed; None means all of them.
    """
    known = application.saved if application is not None else None
    found: Sequence[SavedTensor] | None = None if known is None else known.get(wanted)
    if found is None:
        names = None if wanted is None else wanted_names(operator, wanted)
        found = saved_tensors(operator, specs, attributes, names)
        if known is not None:
            known[wanted] = found
    return found


def wanted_names(operator: Operator, wanted: Sequence[bool]) -> set[str]:
    """Returns the names, in the operator's signature, of the operands whose gradient is computed."""
    terms = operator.signature.inputs
    return {terms[min(index, len(terms) - 1)].name for index, asked in enumerate(wanted) if asked}


def _places(
    operator: Operator, name: str, specs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> list[tuple[str, int, TensorSpec]]:
    """Returns where the operand or output of this name is: nowhere if it was left out, several times if it is
    variadic."""
    for index, term in enumerate(operator.signature.inputs):
        if term.name == name:
            stop = len(specs) if term.variadic else index + 1
            return [(OPERAND, place, spec) for place, spec in enumerate(specs[:stop]) if place >= index]
    names = [term.name for term in operator.signature.outputs]
    return [(OUTPUT, names.index(name), outputs[names.index(name)])]


def _dtype(operator: Operator, dtype: str, specs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> str:
    """Returns the dtype of a tensor of its own: the one said, that of the operand said, or that of the first output."""
    for index, term in enumerate(operator.signature.inputs):
        if term.name == dtype:
            return specs[index].dtype if index < len(specs) else outputs[0].dtype
    return dtype or outputs[0].dtype


def _shapes(
    operator: Operator,
    item: Saved,
    application: Application,
    specs: Sequence[TensorSpec],
    attributes: Mapping[str, Any],
) -> list[tuple[Dim, ...]]:
    """Returns the shapes of tensors of its own: one that words write, or those that a function returns."""
    if not callable(item.dims):
        return [_shape(operator, item, application, {**operator.attributes, **attributes})]
    result = operator.call(item.dims, application.dims, application.batch, specs, application.outputs, attributes)
    return list(map(tuple, result)) if isinstance(result, list) else [tuple(result)]


def _shape(operator: Operator, item: Saved, application: Application, attributes: Mapping[str, Any]) -> tuple[Dim, ...]:
    shape: list[Dim] = []
    sizes: dict[str, Any] = {**_output_dims(operator, application), **application.dims}
    for word in str(item.dims or "").split():
        name = word.removeprefix("*")
        if word == "...":
            shape.extend(application.batch)
        elif word.isdigit():
            shape.append(int(word))
        elif name in sizes:
            size = sizes[name]
            shape.extend(size if isinstance(size, tuple) else (size,))
        elif name in attributes:
            shape.append(attributes[name])
        else:
            known = (*sizes, *attributes)
            raise OperatorError(
                f"operator {operator.name!r} saves {item.name!r} of dimensions {item.dims!r}, but nothing gives "
                f"{name!r}{suggest(name, known)}"
            )
    return tuple(shape)


def _output_dims(operator: Operator, application: Application) -> dict[str, Any]:
    """Returns the sizes of the dimensions that the outputs' terms name, from the outputs as they are."""
    sizes: dict[str, Any] = {}
    for term, spec in zip(operator.signature.outputs, application.outputs, strict=False):
        front, back = len(term.front), len(term.back)
        stop = len(spec.shape) - back
        sizes.update(zip(term.front, spec.shape, strict=False))
        sizes.update(zip(term.back, spec.shape[stop:], strict=True))
        if isinstance(term.ellipsis, str):
            sizes[term.ellipsis] = spec.shape[front:stop]
    return sizes
