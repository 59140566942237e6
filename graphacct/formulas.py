"""The formula of a number in symbols: the operator's own formula, evaluated on symbols and checked against the number.

Nothing is written a second time, so a formula that is shown cannot differ from the one that counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphacct.costs import Cost
from graphacct.dims import Dim, prod
from graphacct.operators import Operator, full_cost
from graphacct.signature import Term
from graphacct.tensors import TensorSpec

if TYPE_CHECKING:
    from graphacct.annotate import NodeCost

PER_NODE = ("matmul_flops", "vector_flops", "transcendentals", "read_bytes", "write_bytes", "activation_bytes")


def formulas(operator: Operator, record: NodeCost) -> dict[str, tuple[str, str]]:
    """Formula and substituted formula of each per-node quantity of an operator's application; those that have none
    (because the formula decides by sizes) are left out."""
    if record.cost is None:
        return {}
    try:
        dims, batch, specs, outputs, values = _symbolic(operator, record)
        work = operator.work(dims, batch, specs, outputs, record.node.attributes)
        application = record.node.application
        cost = full_cost(work, specs, outputs, bool(application and application.view))
    except TypeError:  # a comparison of symbols has no truth value
        return {}
    result = {}
    exact = exact_cost(operator, record)
    for name in PER_NODE:
        expression = getattr(cost, name)
        if _evaluate(expression, values) != getattr(exact, name):
            continue
        text = _pretty(expression)
        result[name] = (text, _substitute(text, values))
    return result


def exact_cost(operator: Operator, record: NodeCost) -> Cost:
    return operator.apply([operand.spec for operand in record.node.inputs], record.node.attributes).cost


def _symbolic(operator: Operator, record: NodeCost) -> Any:
    """The operator's dimensions and specs as symbols, and what each symbol stands for."""
    node = record.node
    specs = [operand.spec for operand in node.inputs]
    signature = operator.signature
    application = operator.apply(specs, node.attributes)
    values: dict[str, Dim] = dict(application.dims)
    if operator.infer is None:
        values["batch"] = prod(application.batch)
        dims = {name: _symbol(name) for name in application.dims}
        batch: tuple[Any, ...] = (_symbol("batch"),)
        symbolic = [
            spec if _broadcasts(term, spec, application.batch) else _spec(term, spec, dims, batch)
            for term, spec in zip(signature.inputs, specs, strict=False)
        ]
        shapes = signature.shapes(dims, batch)
        outputs = [TensorSpec(shape, spec.dtype) for shape, spec in zip(shapes, application.outputs, strict=True)]
        return dims, batch, symbolic, outputs, values
    names = [term.name for term in signature.inputs]
    labels = [names[min(i, len(names) - 1)] + (str(i) if i >= len(names) else "") for i in range(len(specs))]
    outs = [term.name for term in signature.outputs]
    out_labels = outs if len(outs) == len(application.outputs) else [f"out{i}" for i in range(len(application.outputs))]
    symbolic = [_labelled(label, spec, values) for label, spec in zip(labels, specs, strict=True)]
    outputs = [_labelled(label, spec, values) for label, spec in zip(out_labels, application.outputs, strict=True)]
    dims = {name: _symbol(name) for name in application.dims}
    return dims, tuple(application.batch), symbolic, outputs, values


def _broadcasts(term: Term, spec: TensorSpec, batch: tuple[Dim, ...]) -> bool:
    """Whether an operand's own leading dimensions are fewer than the product that `batch` stands for."""
    lead = spec.shape[len(term.front) : len(spec.shape) - len(term.back)] if term.ellipsis else ()
    return bool(term.ellipsis and prod(lead) != prod(batch))


def _spec(term: Term, spec: TensorSpec, dims: Mapping[str, Any], batch: tuple[Any, ...]) -> TensorSpec:
    shape = (*(dims[d] for d in term.front), *(batch if term.ellipsis else ()), *(dims[d] for d in term.back))
    return TensorSpec(shape, spec.dtype)


def _labelled(label: str, spec: TensorSpec, values: dict[str, Dim]) -> TensorSpec:
    shape = []
    for index, size in enumerate(spec.shape):
        name = f"{label}_{index}"
        values[name] = size
        shape.append(_symbol(name))
    return TensorSpec(tuple(shape), spec.dtype, spec.strides)


def _symbol(name: str) -> Any:
    import sympy

    return sympy.Symbol(name, integer=True, positive=True)


def _evaluate(expression: Any, values: Mapping[str, Dim]) -> Any:
    if not hasattr(expression, "free_symbols"):
        return expression
    return int(expression.subs({symbol: values[symbol.name] for symbol in expression.free_symbols}))


def _pretty(expression: Any) -> str:
    return str(expression).replace("**", "^").replace("*", " · ")


def _substitute(text: str, values: Mapping[str, Dim]) -> str:
    text = re.sub(r"\b\d{4,}\b", lambda match: f"{int(match[0]):,}", text)
    return re.sub(r"[A-Za-z_]\w*", lambda match: number(values[match[0]]) if match[0] in values else match[0], text)


def number(value: Dim) -> str:
    return f"{value:,}" if type(value) is int else str(value)
