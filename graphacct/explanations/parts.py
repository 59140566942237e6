"""The parts that add up to a node's training quantities, and the operands without a gradient.

The formulas are the operators' own, evaluated on symbols. Under the convention `exact` the parts of a quantity add up
to the report's figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property

import attrs

from graphacct.costs.annotate import NodeCost
from graphacct.dims import Dim, same
from graphacct.explanations.formulas import exact_cost, number
from graphacct.explanations.named import NamedFormula, named_gradients
from graphacct.graph.graph import Graph, Parameter, Value
from graphacct.hooks.manager import Plugins
from graphacct.operators.operator import Operator
from graphacct.tensors import FLOATING
from graphacct.training.gradient_flow import Additions, NodeGradients, node_gradients
from graphacct.training.gradients import INPUT_GRAD, RECOMPUTE, WEIGHT_GRAD, gradient_parts, operand_name
from graphacct.training.options import Training
from graphacct.training.reach import reached_times
from graphacct.training.recompute import RecomputePlan, recompute_plan
from graphacct.training.selection import freezing, frozen
from graphacct.training.updates import update
from graphacct.transforms.transform import APPLIED

OPTIMIZER = "optimizer"
MATMUL, VECTOR = "matmul_flops", "vector_flops"
PARAMETER_BYTES = ("gradient_bytes", "optimizer_state_bytes")
QUANTITIES = (
    *[f"{kind}_{of}" for kind in (INPUT_GRAD, WEIGHT_GRAD, RECOMPUTE, OPTIMIZER) for of in (MATMUL, "flops")],
    *PARAMETER_BYTES,
)
"""The quantities that are explained by their parts."""

Passes = Mapping[tuple[bool, ...], Dim]
"""How often a node runs with each set of operands that need a gradient."""


@attrs.frozen
class ExplainedPart:
    """One part of a training quantity.

    Attributes:
        quantity: The quantity, or its beginning if `of` is its end: `input_grad`, `weight_grad`, `recompute`,
            `optimizer`.
        of: `matmul_flops` or `vector_flops`; empty for bytes.
        name: Its subject: an operand by its name in the signature, a parameter, or a description.
        formula: In the names of the operator's signature; empty when it has no closed form.
        substituted: The formula with the values put in.
        each: The result for one time.
        times: How often it is done.
        total: The result for all times.
        named: The formula for other sizes; None when it has no closed form.
    """

    quantity: str
    of: str
    name: str
    formula: str
    substituted: str
    each: Dim
    times: Dim
    total: Dim
    named: NamedFormula | None = attrs.field(default=None, eq=False, repr=False)

    def belongs(self, quantity: str) -> bool:
        """Returns whether it is a part of `quantity`."""
        if not self.of:
            return quantity == self.quantity
        return quantity in (f"{self.quantity}_{self.of}", f"{self.quantity}_flops")


@attrs.frozen
class Backward:
    """The work that training adds to a node.

    Attributes:
        parts: The parts of its quantities that are not 0.
        notes: The operands without a gradient, and why, and those whose gradient takes no arithmetic.
    """

    parts: tuple[ExplainedPart, ...] = ()
    notes: tuple[str, ...] = ()


@attrs.frozen(eq=False, slots=False)
class Step:
    """A training step of an annotated graph. What its nodes' explanations need of the whole graph is found once.

    Attributes:
        annotated: The graph as it was annotated.
        training: How it is trained.
        plugins: Those in use.
    """

    annotated: Graph
    training: Training
    plugins: Plugins

    @cached_property
    def frozen(self) -> tuple[Graph, Callable[[Parameter], bool]]:
        """The graph, and which of its parameters are trained."""
        return frozen(self.annotated, self.training.freeze)

    @cached_property
    def computed(self) -> Mapping[str, NodeGradients]:
        """What each node computes in the backward pass."""
        return node_gradients(*self.frozen, self.plugins.operators)

    @cached_property
    def plan(self) -> RecomputePlan:
        """What runs again."""
        return recompute_plan(self.frozen[0], self.training.recompute, self.plugins.operators)

    def parts(self, record: NodeCost) -> tuple[ExplainedPart, ...]:
        """Returns the parts of a node's training quantities that are not 0."""
        operator = self.plugins.operators.get(record.node.operator)
        if operator is None or record.cost is None:
            return ()
        computed = self._computed(record)
        asked = record.node.name in self.plan.recompute and record.node.rerun is None
        found = (
            *_gradients(operator, record, computed.times),
            *_additions(computed.additions),
            *(_forward_again(operator, record) if asked else ()),
            *_updates(record, self.training, self.frozen[1]),
        )
        return tuple(part for part in found if not same(part.each, 0))

    def notes(self, record: NodeCost) -> tuple[str, ...]:
        """Returns a node's operands without a gradient, and why, and those whose gradient takes no arithmetic."""
        operator = self.plugins.operators.get(record.node.operator)
        if operator is None or record.cost is None:
            return ()
        passes = self._computed(record).times
        gradients = list(_gradients(operator, record, passes))
        costly = {part.name for part in gradients if not same(part.each, 0)}
        free = dict.fromkeys(part.name for part in gradients if part.name not in costly)
        idle = _idle(operator, record, passes, self.frozen[0], self.training, self.plugins)
        return (*idle, *(f"{name}: its gradient takes no arithmetic" for name in free))

    def _computed(self, record: NodeCost) -> NodeGradients:
        return self.computed.get(record.node.name) or NodeGradients(record.node)


def explained_parts(graph: Graph, record: NodeCost, training: Training, plugins: Plugins) -> Backward:
    """Returns the parts of the training quantities of one node of an annotated graph."""
    step = Step(graph, training, plugins)
    return Backward(step.parts(record), step.notes(record))


def _gradients(operator: Operator, record: NodeCost, passes: Passes) -> Iterator[ExplainedPart]:
    """Yields the parts of the gradients, and the forward work that the kernel repeats for them."""
    for wanted, times in passes.items():
        for part in gradient_parts(operator, record.node, wanted) or ():
            found = named_gradients(operator, record, part)
            repeated = part.kind == RECOMPUTE
            name = "what its backward kernel does again" if repeated else " and ".join(part.operands)
            for of in (MATMUL, VECTOR):
                each = getattr(part.work, of)
                yield _part(part.kind, of, name, found.get(of), each, times)


def _additions(items: Iterable[Additions]) -> Iterator[ExplainedPart]:
    """Yields the additions of gradients of a value or parameter that is used more than once."""
    for item in items:
        name = f"the gradients of {item.name} from its {number(item.uses)} uses, added up"
        steps = (f"{number(item.count)} · elements", f"{number(item.count)} · {number(item.elements)}")
        each = item.count * item.elements
        yield _part(WEIGHT_GRAD if item.weight else INPUT_GRAD, VECTOR, name, steps, each, item.times)


def _forward_again(operator: Operator, record: NodeCost) -> Iterator[ExplainedPart]:
    """Yields the parts of a node that the backward pass runs again."""
    cost = exact_cost(operator, record)
    for of in (MATMUL, VECTOR):
        yield _part(RECOMPUTE, of, "the forward pass, run again", (of, ""), getattr(cost, of), record.times)


def _updates(record: NodeCost, training: Training, trained: Callable[[Parameter], bool]) -> Iterator[ExplainedPart]:
    """Yields the optimizer's work and state for the parameters that a node owns."""
    for parameter in record.owned:
        found = update((parameter,), record.repeats, training, trained)
        for of in (MATMUL, VECTOR):
            yield _part(OPTIMIZER, of, parameter.name, ("", ""), getattr(found.work, of), 1)
        for quantity in PARAMETER_BYTES:
            yield _part(quantity, "", parameter.name, ("", ""), getattr(found, quantity), 1)


def _part(
    quantity: str, of: str, name: str, formula: NamedFormula | tuple[str, str] | None, each: Dim, times: Dim
) -> ExplainedPart:
    if isinstance(formula, NamedFormula):
        named, text, substituted = formula, formula.text, formula.substituted
        return ExplainedPart(quantity, of, name, text, substituted, each, times, each * times, named)
    text, substituted = formula or ("", "")
    return ExplainedPart(quantity, of, name, text, substituted, each, times, each * times)


def _idle(
    operator: Operator, record: NodeCost, passes: Passes, graph: Graph, training: Training, plugins: Plugins
) -> Iterator[str]:
    """Yields the operands without a gradient in some runs, and why."""
    node = record.node
    given = {value.name for value in graph.inputs}
    globs = freezing(graph, training.freeze)
    arrives: Dim | None = None
    for index, operand in enumerate(node.inputs):
        wanted: Dim = sum(times for needs, times in passes.items() if needs[index])
        if same(wanted, record.times):
            continue
        dtype = operand.spec.dtype
        if dtype not in FLOATING:
            why = f"its dtype, {dtype}, carries none"
        elif isinstance(operand, Parameter):
            glob = globs.get(operand.tied_to or operand.name)
            if operand.buffer:
                why = "it is a buffer"
            elif operand.frozen:
                applied = ", ".join(record["name"] for record in graph.workload.get(APPLIED, ()))
                why = f"frozen by a transform ({applied})" if applied else "frozen by the model"
            else:
                why = f"frozen by the glob {glob}" if glob else _flat(operator, node.outputs) or UNREACHED
        elif operand.name in given:
            why = "it is an input of the model"
        elif passes or not _flat(operator, node.outputs):
            arrives = reached_times(graph, node, plugins.operators) if arrives is None else arrives
            untrained = [] if same(wanted, arrives) else ["nothing before it is trained"]
            why = " or ".join([*untrained, *([] if same(arrives, record.times) else [UNREACHED])])
        else:
            why = _flat(operator, node.outputs)
        runs = "" if same(wanted, 0) else f" in {number(record.times - wanted)} of {number(record.times)} runs"
        yield f"{operand_name(operator, index)}: no gradient{runs}, {why}"


UNREACHED = "no gradient reaches the result"


def _flat(operator: Operator, outputs: tuple[Value, ...]) -> str:
    """Returns why a node with trained operands computes no gradient; empty if its outputs have one."""
    if operator.stops_gradient:
        return f"{operator.name} stops it"
    if any(value.spec.dtype in FLOATING for value in outputs):
        return ""
    return f"the result is {outputs[0].spec.dtype}, which carries none"
