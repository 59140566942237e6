"""The gradients of one node: their work, operand by operand.

A gradient with respect to a value is an input gradient, one with respect to a parameter a weight gradient.
`gradient_flow.py` finds which of them a training step computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from graphacct.dims import Dim
from graphacct.errors import OperatorError
from graphacct.graph.graph import Node, Parameter
from graphacct.operators.application import Application
from graphacct.operators.cost import Work
from graphacct.operators.operator import Operator

NOTHING = Work()
EVERYTHING = "*"


@attrs.frozen(repr=False)
class GradientWork:
    """The work of the gradients that a node computes.

    Attributes:
        input_grad: The gradients with respect to values.
        weight_grad: The gradients with respect to parameters.
        recompute: The work of the forward pass that the kernel repeats; it is part of no gradient.
    """

    input_grad: Work = NOTHING
    weight_grad: Work = NOTHING
    recompute: Work = NOTHING

    def plus(self, other: GradientWork, times: Dim) -> GradientWork:
        """Returns the sum of this and `times` times the other."""
        return GradientWork(
            self.input_grad.plus(other.input_grad, times),
            self.weight_grad.plus(other.weight_grad, times),
            self.recompute.plus(other.recompute, times),
        )


INPUT_GRAD, WEIGHT_GRAD, RECOMPUTE = "input_grad", "weight_grad", "recompute"


@attrs.frozen(repr=False)
class GradientPart:
    """One part of what a node computes in the backward pass.

    Attributes:
        kind: The field of GradientWork that it is a part of.
        operands: The operands whose gradient it is, by their names in the signature; empty for repeated forward work.
        contracted: Whether it contains a contraction as large as the forward one.
        stated: The operator's own function for the rest; None if there is none.
        work: One pass.
        asked: What a function may ask for: which operand's gradient it is, and whose are computed.
    """

    kind: str
    operands: tuple[str, ...]
    contracted: bool
    stated: Callable[..., Work] | None
    work: Work
    asked: tuple[int, tuple[bool, ...]] = (0, ())


def gradient_work(operator: Operator, node: Node, wanted: Sequence[bool]) -> GradientWork | None:
    """Returns the work of a node's wanted gradients; None if the operator does not state one of them."""
    parts = gradient_parts(operator, node, wanted)
    if parts is None:
        return None
    sums = dict.fromkeys((INPUT_GRAD, WEIGHT_GRAD, RECOMPUTE), NOTHING)
    for part in parts:
        sums[part.kind] = sums[part.kind].plus(part.work)
    return GradientWork(**sums)


def gradient_parts(operator: Operator, node: Node, wanted: Sequence[bool]) -> list[GradientPart] | None:
    """Returns the parts of a node's wanted gradients; None if the operator does not state one of them."""
    specs = [operand.spec for operand in node.inputs]
    application = node.application or operator.apply(specs, node.attributes)
    found: list[GradientPart] = []
    if operator.recomputes is not None:
        work = _evaluated(operator, operator.recomputes, application, node)
        found.append(GradientPart(RECOMPUTE, (), False, operator.recomputes, work))
    needing = [index for index, want in enumerate(wanted) if want]
    joint = operator.gradients.get(EVERYTHING)
    if joint is not None:
        asked = (needing[0] if needing else 0, tuple(wanted))
        work = _evaluated(operator, joint, application, node, asked)
        only_weights = all(isinstance(node.inputs[index], Parameter) for index in needing)
        names = tuple(operand_name(operator, index) for index in needing)
        return [*found, GradientPart(WEIGHT_GRAD if only_weights else INPUT_GRAD, names, False, joint, work, asked)]
    for index in needing:
        term = operator.signature.inputs[min(index, len(operator.signature.inputs) - 1)]
        stated = operator.gradients.get(term.name)
        contracted = term.name in operator.contracts
        work = NOTHING
        asked = (index, tuple(wanted))
        if stated is not None:
            work = _evaluated(operator, stated, application, node, asked)
        elif not contracted and not application.view:
            return None
        if contracted:
            product = application.counted(lambda dims: Work(operator.contraction(dims, application.batch)))
            work = work.plus(operator.in_real_numbers(product, specs))
        kind = WEIGHT_GRAD if isinstance(node.inputs[index], Parameter) else INPUT_GRAD
        found.append(GradientPart(kind, (operand_name(operator, index),), contracted, stated, work, asked))
    return found


def operand_name(operator: Operator, index: int) -> str:
    """Returns an operand's name in the signature, numbered where one name stands for several."""
    terms = operator.signature.inputs
    term = terms[min(index, len(terms) - 1)]
    return f"{term.name}{index - len(terms) + 1}" if term.variadic else term.name


def _evaluated(
    operator: Operator,
    function: Callable[..., Work],
    application: Application,
    node: Node,
    asked: tuple[int, tuple[bool, ...]] = (0, ()),
) -> Work:
    specs = [operand.spec for operand in node.inputs]

    def evaluated(dims: Mapping[str, Dim]) -> Work:
        work = operator.call(function, dims, application.batch, specs, application.outputs, node.attributes, asked)
        if not isinstance(work, Work):
            raise OperatorError(f"its gradient returned {work!r}; a gradient returns Work(...)")
        return work

    return operator.in_real_numbers(application.counted(evaluated, gradient=True), specs)
