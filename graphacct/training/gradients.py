"""The backward pass: which gradients a training step computes, and their work.

A gradient is computed where something needs it: an operand's, if it is a parameter that is trained or a value that one
leads to. Token ids, pixels, masks and frozen parameters need none, so that the first layer's input gradient is never
computed (the step of a 50-layer convolutional net is 2.971 times its forward pass, not 3). The gradient with respect to
a value is an input gradient, the one with respect to a parameter a weight gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from graphacct.dims import Dim
from graphacct.errors import GraphError, OperatorError, blame
from graphacct.graph.graph import Block, Graph, Node, Parameter, Value
from graphacct.operators.cost import Work
from graphacct.operators.operator import Application, Operator
from graphacct.tensors import FLOATING

NOTHING = Work()
EVERYTHING = "*"


@attrs.frozen
class Gradients:
    """The work of the gradients that a node computes.

    Attributes:
        input_grad: The gradients with respect to values.
        weight_grad: The gradients with respect to parameters.
        again: What the kernel computes once more of its forward pass, which is part of no gradient.
    """

    input_grad: Work = NOTHING
    weight_grad: Work = NOTHING
    again: Work = NOTHING

    def plus(self, other: Gradients, times: Dim) -> Gradients:
        """These and the other's, so many times."""
        return Gradients(
            self.input_grad.plus(other.input_grad, times),
            self.weight_grad.plus(other.weight_grad, times),
            self.again.plus(other.again, times),
        )


@attrs.frozen
class NodeGradients:
    """What a node computes in the backward pass.

    Attributes:
        node: The node, named as in its graph.
        gradients: One pass through it; None when its operator states no gradient.
        times: How often it runs with just these gradients; a node of a block may have two records, where its first
            repetition needs fewer than the others.
        wanted: Which of its operands need a gradient.
    """

    node: Node
    gradients: Gradients | None
    times: Dim
    wanted: tuple[bool, ...] = ()


INPUT, WEIGHT, AGAIN = "input_grad", "weight_grad", "again"


@attrs.frozen
class Addend:
    """One part of what a node computes in the backward pass.

    Attributes:
        kind: The field of Gradients that it is a part of.
        operands: The operands whose gradient it is, by their names in the signature; empty for what is no gradient.
        contracted: Whether it holds a contraction of the size of the forward one.
        stated: The operator's own function of the rest; None where there is no rest.
        work: One pass.
    """

    kind: str
    operands: tuple[str, ...]
    contracted: bool
    stated: Callable[..., Work] | None
    work: Work


def backward(
    graph: Graph,
    operators: Mapping[str, Operator],
    trained: Callable[[Parameter], bool] = lambda parameter: parameter.trainable,
) -> list[NodeGradients]:
    """What each node of a graph computes in the backward pass of a training step, in schedule order.

    `trained` says which parameters need a gradient. Nodes that compute none are left out.
    """
    walk = _Backward(operators, trained)
    walk.visit(graph, {value.name: False for value in graph.inputs}, 1)
    return walk.records


class _Backward:
    """One walk over a graph, forwards: what needs a gradient follows from what its operands need."""

    def __init__(self, operators: Mapping[str, Operator], trained: Callable[[Parameter], bool]) -> None:
        self.operators = operators
        self.trained = trained
        self.records: list[NodeGradients] = []

    def visit(self, graph: Graph, needs: dict[str, bool], times: Dim) -> list[bool]:
        """Record a graph's nodes, given which of its inputs need a gradient; gives which of its outputs do."""
        for node in graph.nodes:
            if isinstance(node, Block):
                self._block(node, needs, times)
                continue
            wanted = [self._wanted(operand, needs) for operand in node.inputs]
            flows = any(wanted)
            for value in node.outputs:
                needs[value.name] = flows and value.spec.dtype in FLOATING
            if flows and any(needs[value.name] for value in node.outputs):
                gradients = self._gradients(node, wanted)
                self.records.append(NodeGradients(node, gradients, times, tuple(wanted)))
        return [needs[value.name] for value in graph.outputs]

    def _block(self, block: Block, needs: dict[str, bool], times: Dim) -> None:
        """A block's first repetitions may carry values that need no gradient yet, the later ones are all alike."""
        carried = [needs[value.name] for value in block.carry]
        constants = [needs[value.name] for value in block.constants]
        left = block.repeat
        stacked: list[bool] = []
        seen = [carried]
        while True:
            entering = carried + constants
            before = len(self.records)
            inner = dict(zip((value.name for value in block.body.inputs), entering, strict=True))
            results = self.visit(block.body, inner, times)
            after, stack = results[: len(carried)], results[len(carried) :]
            stacked = [a or b for a, b in zip(stacked or stack, stack, strict=True)]
            if after == carried or (type(left) is int and left == 1):
                self.records[before:] = [attrs.evolve(r, times=r.times * left) for r in self.records[before:]]
                break
            if after in seen and type(left) is not int:
                raise GraphError(
                    f"block {block.name!r} carries values round whose gradients come and go by turns, {block.repeat} "
                    "times: give a number"
                )
            seen.append(after)
            carried, left = after, left - 1
        for value, need in zip(block.outputs, after + stacked, strict=True):
            needs[value.name] = need

    def _wanted(self, operand: Value | Parameter, needs: Mapping[str, bool]) -> bool:
        if operand.spec.dtype not in FLOATING:
            return False
        return self.trained(operand) if isinstance(operand, Parameter) else needs[operand.name]

    def _gradients(self, node: Node, wanted: Sequence[bool]) -> Gradients | None:
        operator = self.operators.get(node.operator)
        if operator is None:
            return None
        try:
            return gradients_of(operator, node, wanted)
        except Exception as error:
            raise blame(node.name, node.operator, self.operators, error) from error


def gradients_of(operator: Operator, node: Node, wanted: Sequence[bool]) -> Gradients | None:
    """The work of the gradients of a node's operands that are wanted; None when the operator states one of them not."""
    addends = addends_of(operator, node, wanted)
    if addends is None:
        return None
    sums = dict.fromkeys((INPUT, WEIGHT, AGAIN), NOTHING)
    for addend in addends:
        sums[addend.kind] = sums[addend.kind].plus(addend.work)
    return Gradients(**sums)


def addends_of(operator: Operator, node: Node, wanted: Sequence[bool]) -> list[Addend] | None:
    """The parts of what a node computes, operand by operand; None when the operator states one of them not."""
    specs = [operand.spec for operand in node.inputs]
    application = node.application or operator.apply(specs, node.attributes)
    found: list[Addend] = []
    if operator.recomputes is not None:
        work = _evaluated(operator, operator.recomputes, application, node)
        found.append(Addend(AGAIN, (), False, operator.recomputes, work))
    needing = [index for index, want in enumerate(wanted) if want]
    joint = operator.gradients.get(EVERYTHING)
    if joint is not None:
        work = _evaluated(operator, joint, application, node)
        only_weights = all(isinstance(node.inputs[index], Parameter) for index in needing)
        names = tuple(operand_name(operator, index) for index in needing)
        return [*found, Addend(WEIGHT if only_weights else INPUT, names, False, joint, work)]
    for index in needing:
        term = operator.signature.inputs[min(index, len(operator.signature.inputs) - 1)]
        stated = operator.gradients.get(term.name)
        contracted = term.name in operator.contracts
        work = NOTHING
        if stated is not None:
            work = _evaluated(operator, stated, application, node)
        elif not contracted and not application.view:
            return None
        if contracted:
            work = work.plus(Work(operator.contraction(application.dims, application.batch)))
        kind = WEIGHT if isinstance(node.inputs[index], Parameter) else INPUT
        found.append(Addend(kind, (operand_name(operator, index),), contracted, stated, work))
    return found


def operand_name(operator: Operator, index: int) -> str:
    """An operand's name in the signature, numbered where one name stands for several."""
    terms = operator.signature.inputs
    term = terms[min(index, len(terms) - 1)]
    return f"{term.name}{index - len(terms) + 1}" if term.variadic else term.name


def _evaluated(operator: Operator, function: Callable[..., Work], application: Application, node: Node) -> Work:
    specs = [operand.spec for operand in node.inputs]
    work = operator.call(function, application.dims, application.batch, specs, application.outputs, node.attributes)
    if not isinstance(work, Work):
        raise OperatorError(f"its gradient returned {work!r}; a gradient returns Work(...)")
    return work
