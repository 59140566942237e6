"""Unrolling: a folded graph written out flat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from graphacct.classes import evolve
from graphacct.errors import GraphError, brief
from graphacct.graph import places
from graphacct.graph.graph import Block, Graph, Node, Operand, Value
from graphacct.graph.paths import index_of, indexed, is_index
from graphacct.operators.operator import Operator
from graphacct.tensors import TensorSpec

MOST_NODES = 300_000
"""The most nodes that are written out: a model has thousands."""


def unroll(graph: Graph, operators: Mapping[str, Operator]) -> Graph:
    """Returns the flat graph: every block's repetitions written out, with `*` in names replaced by their index.

    A node of the operator that says `stacks=True` stacks the results of a block's repetitions.
    Raises GraphError for more than 300,000 nodes, when a block repeats a symbolic number of times, or when it stacks up
    results and not exactly one operator gathers them.
    """
    count = sum(place.times for _, place in places.nodes(graph) if isinstance(place.times, int))
    if count > MOST_NODES:
        raise GraphError(
            f"{graph.name!r} written out has {brief(count)} nodes, at most {MOST_NODES:,}: leave its blocks folded"
        )
    values = {value.name: value for value in graph.inputs}
    held: dict[str, str] = {}
    nodes = tuple(_expand(graph, values, (), held, operators))
    outputs = tuple(values[value.name] for value in graph.outputs)
    own = {values[name].name for name in graph.held}
    given = {value.name for value in graph.inputs} - own  # alive to the end, whatever a body says
    held = {name: scope for name, scope in held.items() if name not in given}
    return attrs.evolve(graph, nodes=nodes, outputs=outputs, held=held)


def _expand(
    graph: Graph,
    values: dict[str, Value],
    indices: tuple[int, ...],
    held: dict[str, str],
    operators: Mapping[str, Operator],
) -> Iterator[Node]:
    """Yield the nodes at one nesting level; `values` maps the level's value names to values of the flat graph."""
    for node in graph.nodes:
        if isinstance(node, Block):
            yield from _repetitions(node, values, indices, held, operators)
            continue
        outputs = tuple([Value(indexed(value.name, indices), value.spec) for value in node.outputs])
        flat = evolve(
            node,
            name=indexed(node.name, indices),
            inputs=tuple([_operand(operand, values, indices) for operand in node.inputs]),
            outputs=outputs,
        )
        values.update(zip([value.name for value in node.outputs], outputs, strict=True))
        yield flat
    held.update((values[name].name, indexed(scope, indices)) for name, scope in graph.held.items())


def _operand(operand: Operand, values: dict[str, Value], indices: tuple[int, ...]) -> Operand:
    if isinstance(operand, Value):
        return values[operand.name]
    name, tied_to = indexed(operand.name, indices), indexed(operand.tied_to, indices)
    if name == operand.name and tied_to == operand.tied_to:
        return operand
    return evolve(operand, name=name, tied_to=tied_to)


def _repetitions(
    block: Block,
    values: dict[str, Value],
    indices: tuple[int, ...],
    held: dict[str, str],
    operators: Mapping[str, Operator],
) -> Iterator[Node]:
    if not isinstance(block.repeat, int):
        raise GraphError(f"block {block.name!r} repeats {block.repeat} times: give a number to unroll it")
    carried = [values[value.name] for value in block.carry]
    constants = [values[value.name] for value in block.constants]
    stacks: list[list[Value]] = [[] for _ in block.body.outputs[len(carried) :]]
    for number, index in enumerate(range(block.start, block.start + block.repeat)):
        own = [values[each[number].name] for each in block.each]
        inner = {value.name: flat for value, flat in zip(block.body.inputs, carried + constants + own, strict=True)}
        yield from _expand(block.body, inner, (*indices, index), held, operators)
        results = [inner[value.name] for value in block.body.outputs]
        carried = results[: len(carried)]
        for stack, result in zip(stacks, results[len(carried) :], strict=True):
            stack.append(result)
    values.update(zip((value.name for value in block.outputs), carried, strict=False))
    apart = stacks[len(stacks) - block.apart :]
    stacks = stacks[: len(stacks) - block.apart]
    single = block.outputs[len(carried) : len(carried) + len(stacks)]
    for outputs, results in zip(block.returned[len(carried) + len(stacks) :], apart, strict=True):
        values.update(zip((value.name for value in outputs), results, strict=True))
    gathers = _gathering(block, operators) if stacks else ""
    for position, (value, stack) in enumerate(zip(single, stacks, strict=True)):
        name = f"{beside(indexed(block.name, indices), block.start)}_{gathers}_{position}"
        output = Value(name, stacked(stack))
        yield Node(output.name, gathers, tuple(stack), (output,))
        values[value.name] = output


def beside(block: str, start: int) -> str:
    """Returns a name beside the layers' scope: of `layers.*` it is `layers`, of `layers.*+3`, which has some of the
    layers, `layers_3`."""
    scope, _, star = block.rpartition(".")
    return scope if star == "*" else f"{scope}_{index_of(star, start)}" if is_index(star) else block


def _gathering(block: Block, operators: Mapping[str, Operator]) -> str:
    """Returns the operator that gathers what a block stacks up."""
    found = [name for name, operator in operators.items() if operator.stacks]
    if len(found) != 1:
        who = f"operators {' and '.join(map(repr, found))} say" if found else "no operator says"
        raise GraphError(
            f"block {block.name!r} stacks up results, and {who} stacks=True: one operator has to gather them"
        )
    return found[0]


def stacked(values: Sequence[Value]) -> TensorSpec:
    """Returns the spec of values stacked up, one for each repetition."""
    first = values[0].spec
    return TensorSpec((len(values), *first.shape), first.dtype)
