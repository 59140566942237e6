"""The flow of gradients: which of them a training step computes, how often, and where they are added up.

A gradient is computed only if it is needed: for an operand that is a trained parameter, or a value that depends on one.
Token ids, pixels, masks and frozen parameters need none, so that the first layer's input gradient is never
computed (the step of a 50-layer convolutional net is 2.971 times its forward pass, not 3). It is computed only if a
gradient arrives too: what no output depends on that gradients start from has none.

A value that is used as several operands gets a gradient from each, and they are added up: one addition for each element
and each use after the first, as autograd does when it reaches the node that made the value. The same holds for a
parameter. An operator's own gradient does not know of other uses, so these additions belong to the node that makes the
value or owns the parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce

import attrs

from graphacct.dims import Dim, has_value, maximum, same
from graphacct.errors import blame
from graphacct.graph.graph import Graph, Node, Parameter
from graphacct.graph.places import TOP, Place
from graphacct.graph.walk import BlockEnd, Result, Run, runs
from graphacct.operators.cost import Work
from graphacct.operators.operator import Operator
from graphacct.tensors import FLOATING
from graphacct.training.gradients import GradientWork, gradient_work
from graphacct.training.reach import (
    NO_OPERATORS,
    reached,
    starting_operators,
    starts,
    stopping_operators,
    trained_inputs,
    used_operators,
)


@attrs.frozen(eq=False, repr=False)
class Additions:
    """The additions at one node of the gradients of one value or parameter.

    Attributes:
        name: The value, or the parameter.
        weight: Whether it is a parameter.
        uses: How many operands use it; for a parameter, over all runs of those nodes.
        elements: Of one value or parameter.
        count: How many additions for each element there are, once.
        times: How often.
    """

    name: str
    weight: bool
    uses: Dim
    elements: Dim
    count: Dim
    times: Dim

    @property
    def flops(self) -> Dim:
        """All of them."""
        return self.count * self.elements * self.times


@attrs.frozen(eq=False, repr=False)
class NodeGradients:
    """What a node computes in the backward pass.

    Attributes:
        node: The node, named as in its graph.
        times: How often it runs with each choice of operands that need a gradient; in a block's first repetition fewer
            may need one than in the others.
        additions: The gradients that are added up here.
    """

    node: Node
    times: dict[tuple[bool, ...], Dim] = attrs.field(factory=dict)
    additions: list[Additions] = attrs.field(factory=list)


def node_gradients(
    graph: Graph,
    trained: Callable[[Parameter], bool] = lambda parameter: parameter.trainable,
    operators: Mapping[str, Operator] = NO_OPERATORS,
) -> dict[str, NodeGradients]:
    """Returns what each node of a graph computes in the backward pass of a training step, by its name.

    `trained` says which parameters need a gradient, and `operators` which operators stack results as a block does, and
    which stop gradients.
    Nodes that compute none are left out.
    Raises GraphError if repetitions of a block differ by turns and there is a symbolic number of them.
    """
    events = list(runs(graph))
    used = used_operators(events, operators)
    stacking = frozenset(name for name, operator in used.items() if operator.stacks)
    learned = trained_inputs(events, graph)
    ends = stopping_operators(used), starting_operators(used)
    step = _GradientFlow(trained, stacking, *ends, reached(events, graph, operators), learned)
    for event in events:
        if isinstance(event, Run):
            step.run(event)
        elif isinstance(event, BlockEnd):
            step.stack(event)
    for result in starts(events, graph):
        step.start(result)
    step.add_up()
    return step.nodes


@attrs.define
class _Shared:
    """A parameter's storage: the node that it belongs to, and how often all those of its name are used.

    Attributes:
        node: The node.
        parameter: The parameter.
        uses: The operands that are one of them and get a gradient.
        used: How many of them those are: by the blocks that its `*`s stand for, and in these by repetition. Several
            blocks may share one name; then the one that uses the most of them says how many there are.
    """

    node: Node
    parameter: Parameter
    uses: Dim = 0
    used: dict[tuple[int, ...], dict[tuple[int, ...], Dim]] = attrs.field(factory=dict)

    def use(self, place: Place, around: Place) -> None:
        """Records uses at a place, of the parameters of the place `around` it."""
        self.uses = self.uses + place.times
        blocks = tuple(id(level.block) for level in around.levels)
        self.used.setdefault(blocks, {})[around.numbers] = around.times

    @property
    def instances(self) -> Dim:
        """How many get a gradient."""
        return reduce(maximum, (sum(times.values()) for times in self.used.values()))


@attrs.define
class _GradientFlow:
    """What is known of a graph's gradients from the runs so far.

    Attributes:
        trained: Which parameters need a gradient.
        stacking: The operators that stack results.
        stopping: The operators that stop gradients.
        starting: Those of them whose results get one.
        reached: The results that a gradient reaches from the outputs.
        inputs: The graph's inputs that need a gradient.
        nodes: What the nodes compute, by name.
        makers: The results that need a gradient, and the node that makes each.
        uses: How many operands each result is.
        shared: The parameters that have gradients, by name and the blocks' first indices that its `*`s begin at.
    """

    trained: Callable[[Parameter], bool]
    stacking: frozenset[str]
    stopping: frozenset[str]
    starting: frozenset[str]
    reached: set[Result]
    inputs: frozenset[Result]
    nodes: dict[str, NodeGradients] = attrs.field(factory=dict)
    makers: dict[Result, Node] = attrs.field(factory=dict)
    uses: dict[Result, Dim] = attrs.field(factory=dict)
    shared: dict[tuple[str, tuple[int, ...]], _Shared] = attrs.field(factory=dict)

    def run(self, run: Run) -> None:
        """Records a run of a node. Its results need a gradient if one reaches them and any operand needs one."""
        floating = [result for result in run.outputs if result in self.reached and result.value.spec.dtype in FLOATING]
        if run.node.operator in self.starting:
            self.makers.update((result, run.node) for result in floating)
        if not floating or run.node.operator in self.stopping:
            return
        wanted = tuple(map(self._needed, run.operands))
        if not any(wanted):
            return
        if run.node.operator in self.stacking:
            results = [operand for operand in run.operands if isinstance(operand, Result)]
            self._stacked(run.outputs[0], [(result, run.place) for result in results])
            return
        self.makers.update((result, run.node) for result in floating)
        for operand in run.operands:
            if isinstance(operand, Result) and operand in self.inputs:
                self.makers.setdefault(operand, run.node)  # no node makes it: the first that reads it adds up
        times = self._of(run.node).times
        times[wanted] = times.get(wanted, 0) + run.place.times
        for operand, want in zip(run.operands, wanted, strict=True):
            if not want:
                continue
            if isinstance(operand, Parameter):
                self._share(operand, run)
            else:
                self._use(operand, run.place)

    def start(self, result: Result) -> None:
        """Records the gradient that starts at an output: one more, if other nodes use it too."""
        if result in self.makers:
            self._use(result, TOP)

    def stack(self, end: BlockEnd) -> None:
        """Records what a block stacks."""
        for stacked, results in end.stacks:
            if stacked in self.reached:
                self._stacked(stacked, zip(results, end.repetitions, strict=True))

    def _stacked(self, stacked: Result, results: Iterable[tuple[Result, Place]]) -> None:
        """Records one use of each of the results, at its place. Additions for the stacked value belong to the node that
        made the last of them."""
        for result, place in results:
            if result in self.makers:
                self._use(result, place)
                self.makers[stacked] = self.makers[result]

    def add_up(self) -> None:
        """Adds the gradients up, once all uses are known: each gives one."""
        for result, node in self.makers.items():
            uses = self.uses.get(result, 0)
            if has_value(uses) and uses < 2:
                continue  # one gradient, or none: nothing to add up
            name, spec = result.value.name, result.value.spec
            self._add(node, Additions(name, False, uses, spec.elements, maximum(uses - 1, 0), result.place.times))
        for shared in self.shared.values():
            uses, parameter = shared.uses, shared.parameter
            if not same(count := uses - shared.instances, 0):
                self._add(shared.node, Additions(parameter.name, True, uses, parameter.spec.elements, count, 1))

    def _needed(self, operand: Result | Parameter) -> bool:
        if isinstance(operand, Parameter):
            return operand.spec.dtype in FLOATING and self.trained(operand)
        return operand in self.makers or operand in self.inputs

    def _use(self, result: Result, place: Place) -> None:
        self.uses[result] = self.uses.get(result, 0) + place.times_for_each(result.place)

    def _share(self, parameter: Parameter, run: Run) -> None:
        name, place = parameter.tied_to or parameter.name, run.place
        blocks = name.count("*")
        key = (name, place.starts[:blocks])
        shared = self.shared.get(key)
        if shared is None:
            shared = self.shared[key] = _Shared(run.node, parameter)
        elif shared.parameter.tied_to and not parameter.tied_to:
            shared.node, shared.parameter = run.node, parameter  # the owner, which comes after one that is tied to it
        shared.use(place, place.around(blocks))

    def _add(self, node: Node, item: Additions) -> None:
        """Records additions, merged with equal ones of the same value in other repetitions."""
        known = self._of(node).additions
        for index, other in enumerate(known):
            if (other.name, other.weight) == (item.name, item.weight) and same(other.uses, item.uses):
                known[index] = attrs.evolve(other, times=other.times + item.times)
                return
        known.append(item)

    def _of(self, node: Node) -> NodeGradients:
        found = self.nodes.get(node.name)
        if found is None:
            found = self.nodes[node.name] = NodeGradients(node)
        return found


def work_of(record: NodeGradients, operators: Mapping[str, Operator]) -> GradientWork | None:
    """Returns the work of all that a node computes, repetitions and additions included.

    Returns None if no operator of this name is registered, or if it does not state a gradient that is needed.
    """
    total = GradientWork()
    for wanted, times in record.times.items():
        operator = operators.get(record.node.operator)
        if operator is None:
            return None
        try:
            once = gradient_work(operator, record.node, wanted)
        except Exception as error:
            raise blame(record.node.name, record.node.operator, operators, error) from error
        if once is None:
            return None
        total = total.plus(once, times)
    if record.additions:
        values, weights = (
            Work(vector_flops=sum(item.flops for item in record.additions if item.weight is kind))
            for kind in (False, True)
        )
        total = total.plus(GradientWork(values, weights), 1)
    return total
