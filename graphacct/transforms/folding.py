"""Folding: the layers of a graph that repeat become blocks, so that each is described once. `unroll` is the way back.

Layers are found by the indices in the names of nodes (`layers.3.attn`, `layer_lists.py`) and have to be equal in all
else: operators, attributes, shapes, dtypes, strides, parameters, what is held, and how they hand values on
(`layer_run.py`). What is used of them later leaves the block as what it carries or stacks up, or one by one.

    graph.fold().unroll() == graph
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from graphacct.graph import fold
from graphacct.graph.graph import Block, Graph, Node, Operand, Parameter, Value, value_names
from graphacct.graph.repetitions import MOST_ALIVE
from graphacct.operators.operator import Operator
from graphacct.transforms.flat_level import FlatLevel, Wire
from graphacct.transforms.layer_holds import Holds, holds
from graphacct.transforms.layer_lists import Lists
from graphacct.transforms.layer_names import Form
from graphacct.transforms.layer_results import gathers, left_apart, returned
from graphacct.transforms.layer_run import Carried, Constant, Each, Run, Source
from graphacct.transforms.transform import Transform


def folded(graph: Graph, operators: Mapping[str, Operator], stack_outputs: bool = False) -> Graph:
    """Returns the graph with equal layers in a row as blocks, also layers inside layers.

    What is a block already stays as it is, and so do layers that are not equal. No figure changes. The time grows with
    the number of nodes.

    With `stack_outputs`, outputs of the graph that are the same result of all layers, such as each layer's keys, leave
    it as one that stacks them, in the place of the first. Written out, the graph then has the stack, too. No figure of
    a forward pass changes; in a training step the gradients of several outputs are not those of one.
    """
    return _Folding(operators, set()).graph(graph, 0, stack_outputs)


FOLD = Transform("fold", "Equal layers in a row become blocks, in a graph that has them written out.", folded)


@attrs.frozen(eq=False)
class _Plan:
    """A run that becomes a block.

    Attributes:
        name: The block's name.
        start: The index of its first repetition; None where names say the first index themselves (`*+3`).
        names: Those of the block and of the nodes of its body.
        stacks: What each stacked result is in a repetition.
        gathers: The nodes that stack the first of them up in the graph written out.
        returned: For each of the others, the outputs of the graph that it stacks.
        apart: The results of a repetition that leave the block one by one.
    """

    run: Run
    name: str
    start: int | None
    names: frozenset[str]
    holds: Holds
    stacks: tuple[Source, ...]
    gathers: tuple[int, ...]
    returned: tuple[tuple[Wire, ...], ...]
    apart: tuple[Wire, ...]

    @property
    def end(self) -> int:
        return self.run.end + len(self.gathers)


class _Folding:
    def __init__(self, operators: Mapping[str, Operator], names: set[str]) -> None:
        self._operators = operators
        self._names = names  # of blocks and of nodes in them

    def graph(self, graph: Graph, blocks: int, stack_outputs: bool = False) -> Graph:
        """Returns a graph that stands inside so many blocks, folded."""
        level = FlatLevel(graph, self._operators, blocks, stack_outputs)
        self._names.update(node.name for node in graph.nodes)
        plans = Lists(level, lambda run, stop: self._plan(level, run, stop), self._take).found()
        if not plans:
            return graph
        now: dict[Wire, Value] = {}
        nodes: list[Node | Block] = []
        index = 0
        for plan in plans:
            nodes += [_rewired(level, each, now) for each in range(index, plan.run.start)]
            nodes.append(self._block(level, plan, now))
            index = plan.end
        nodes += [_rewired(level, each, now) for each in range(index, len(graph.nodes))]
        explained = {wire for plan in plans for wire in plan.holds.explained} - level.given
        held = {_at(level, now, wire).name: scope for wire, scope in level.held.items() if wire not in explained}
        inside = {wire for plan in plans for stack in plan.returned for wire in stack[1:]}
        left = [level.wires[value.name] for value in graph.outputs]
        outputs = tuple([_at(level, now, wire) for wire in left if wire not in inside])
        return attrs.evolve(graph, nodes=tuple(nodes), outputs=outputs, held=held)

    def _plan(self, level: FlatLevel, run: Run, stop: int) -> tuple[_Plan, int] | None:
        """Returns the block that a run becomes and the index after all that belongs to it; None if it cannot be one."""
        held = holds(level, run)
        left = returned(level, run)
        if held is None:
            return None
        for start in _starts(level, run):
            nodes = _node_names(level, run, start)
            name = self._free(_block_name(level, run, start), start)
            if not name or not self._names.isdisjoint(nodes):
                continue
            stacks, nodes_after = gathers(level, run, name, start or 0, stop)
            apart = {*left_apart(level, run, nodes_after, left)}
            apart |= {(run.place(index)[1], output) for index, output in held.leaving}
            if (run.each or apart) and run.repeat > MOST_ALIVE:
                return None
            stacks += tuple(stack[0] for stack in left)
            wires = tuple(stack[1] for stack in left)
            names = frozenset((name, *nodes))
            plan = _Plan(run, name, start, names, held, stacks, nodes_after, wires, tuple(sorted(apart)))
            return plan, plan.end
        return None

    def _take(self, plan: _Plan) -> None:
        """Notes the names of a block that will be there."""
        self._names |= plan.names

    def _free(self, name: str, start: int | None) -> str:
        """Returns the name of a block, with `+0` if another block has it; empty if that is taken as well."""
        if name not in self._names:
            return name
        other = f"{name}+0"
        return other if start is None and name.endswith("*") and other not in self._names else ""

    def _block(self, level: FlatLevel, plan: _Plan, now: dict[Wire, Value]) -> Block:
        """Returns the block of a run, and notes as which values its results leave it."""
        run = plan.run
        body, entering = _body(level, plan)
        count = sum(carried.back for carried in run.carried)
        carry, constants = ([_at(level, now, wire) for wire in wires] for wires in (entering[:count], entering[count:]))
        each = [[_at(level, now, wire) for wire in own.wires] for own in run.each]
        inner = self.graph(body, level.blocks + 1)
        block = fold.fold(plan.name, inner, run.repeat, carry, constants, plan.start or 0, each, len(plan.apart))
        place = 0
        for carried in run.carried:
            for back in range(carried.back, 0, -1):
                made, output = carried.made
                repetition = run.repeat - back
                now[run.start + repetition * run.size + made, output] = block.outputs[place]
                place += 1
        stacks = [*((gather, 0) for gather in plan.gathers), *(wires[0] for wires in plan.returned)]
        now.update(zip(stacks, block.outputs[count:], strict=False))
        for (made, output), values in zip(plan.apart, block.returned[len(inner.outputs) - block.apart :], strict=True):
            for repetition, value in enumerate(values):
                now.setdefault((run.start + repetition * run.size + made, output), value)
        return block


def _at(level: FlatLevel, now: Mapping[Wire, Value], wire: Wire) -> Value:
    return now.get(wire) or level.value(wire)


def _rewired(level: FlatLevel, index: int, now: Mapping[Wire, Value]) -> Node | Block:
    """Returns a node that stays written out, with what blocks return among its operands."""
    node, wires = level.graph.nodes[index], level.takes[index]
    if now.keys().isdisjoint(wires):
        return node
    values = [_at(level, now, wire) for wire in wires]
    if isinstance(node, Block):
        left = iter(values)
        carry, constants = (tuple([next(left) for _ in group]) for group in (node.carry, node.constants))
        each = tuple([tuple([next(left) for _ in group]) for group in node.each])
        return attrs.evolve(node, carry=carry, constants=constants, each=each)
    return _remembering(attrs.evolve(node, inputs=_operands(node, values)), node)


def _operands(node: Node, values: Sequence[Value]) -> tuple[Operand, ...]:
    left = iter(values)
    return tuple([operand if isinstance(operand, Parameter) else next(left) for operand in node.inputs])


def _remembering(made: Node, node: Node) -> Node:
    """Returns a node of the same operands' shapes, with the application that the other remembers."""
    return made if node.application is None else made.applied(node.application)


# names


def _starts(level: FlatLevel, run: Run) -> list[int | None]:
    """Returns the ways to write a run's indices: as a block's start and `*`, if all of them are the same, or each by
    itself, as `*+3`."""
    found = set()
    for place, grown in enumerate(run.steps):
        for form, steps in zip(level.forms[run.start + place], grown, strict=True):
            found |= {(index, step) for index, step in zip(form.indices, steps, strict=True) if step}
    first, step = next(iter(found))
    return [first, None] if len(found) == 1 and step == 1 else [None]


def _written(form: Form, steps: Sequence[int], start: int | None) -> str:
    """Returns a name as the body of a block has it."""
    for place, step in enumerate(steps):
        if step:
            return form.with_star(place, step, form.indices[place] if start is None else 0)
    return form.path


def _block_name(level: FlatLevel, run: Run, start: int | None) -> str:
    """Returns the name of the layers, as the first node has it: `layers.*`."""
    form, steps = level.forms[run.start][0], run.steps[0][0]
    place = next(place for place, step in enumerate(steps) if step)
    return ".".join(_written(form, steps, start).split(".")[: form.places[place] + 1])


def _node_names(level: FlatLevel, run: Run, start: int | None) -> list[str]:
    """Returns the names of the nodes of a body."""
    return [_written(level.forms[run.start + place][0], grown[0], start) for place, grown in enumerate(run.steps)]


# bodies


def _body(level: FlatLevel, plan: _Plan) -> tuple[Graph, list[Wire]]:
    """Returns a run's first repetition as a body, written out, and what enters it: what is carried, then constants.
    What each repetition takes for itself enters after those."""
    run, name = plan.run, plan.name
    constants = dict.fromkeys([*run.constants, *(each for each in plan.stacks if isinstance(each, Constant))])
    entering = [wire for carried in run.carried for wire in carried.first]
    count = len(entering)
    entering += [constant.wire for constant in constants]
    own = len(entering)
    taken = set(_node_names(level, run, plan.start))
    inputs = []
    for place, wire in enumerate([*entering, *(each.wires[0] for each in run.each)]):
        called = f"{name}.{'carry' if place < count else 'constant' if place < own else 'own'}_{place}"
        while called in taken:
            called += "_"
        inputs.append(Value(called, level.value(wire).spec))
    left = iter(inputs)
    going = {carried: [next(left) for _ in carried.first] for carried in run.carried}
    seen: dict[Source, Value] = dict(zip([*constants, *run.each], left, strict=True))
    made: list[tuple[Value, ...]] = []

    def inside(source: Source) -> Value:
        if isinstance(source, (Constant, Each)):
            return seen[source]
        return going[source][0] if isinstance(source, Carried) else made[source[0]][source[1]]

    nodes: list[Node | Block] = []
    sources = iter(run.sources)
    for place, grown in enumerate(run.steps):
        node = level.graph.nodes[run.start + place]
        assert isinstance(node, Node)
        called, *rest = [
            _written(form, steps, plan.start) for form, steps in zip(level.forms[run.start + place], grown, strict=True)
        ]
        parameters = iter(zip(rest[::2], rest[1::2], strict=True))
        operands: list[Operand] = []
        for operand in node.inputs:
            if isinstance(operand, Parameter):
                written, tied = next(parameters)
                operands.append(attrs.evolve(operand, name=written, tied_to=tied))
            else:
                operands.append(inside(next(sources)))
        names = value_names(called, len(node.outputs))
        made.append(tuple([Value(each, value.spec) for each, value in zip(names, node.outputs, strict=True)]))
        nodes.append(_remembering(attrs.evolve(node, name=called, inputs=tuple(operands), outputs=made[-1]), node))
    held = {
        inside(source).name: ".".join(nodes[until.place].name.split(".")[: until.parts])
        for source, until in plan.holds.inside
    }
    outputs = [
        value for carried, values in going.items() for value in (*values[1:], made[carried.made[0]][carried.made[1]])
    ]
    outputs += [inside(source) for source in (*plan.stacks, *plan.apart)]
    return Graph(name, tuple(inputs), tuple(nodes), tuple(outputs), held=held), entering
