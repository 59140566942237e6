"""Accumulation: a value that several operands are gets as many gradients, which are added up; a parameter likewise.

One addition for each element and each use after the first, as autograd does it when it reaches the node that made the
value. An operator's own gradient knows nothing of other uses, so these additions are no operator's: they are
attributed to the node that makes the value, or that owns the parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from graphacct.dims import Dim, maximum, same
from graphacct.errors import GraphError
from graphacct.graph.graph import Block, Graph, Node, Parameter
from graphacct.graph.paths import instances
from graphacct.tensors import FLOATING


@attrs.frozen
class Additions:
    """The additions at one node for one value or parameter.

    Attributes:
        name: The value, or the parameter.
        weight: Whether it is a parameter.
        uses: How many operands it is; for a parameter, over all runs of the nodes that use it.
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


def accumulation(
    graph: Graph, trained: Callable[[Parameter], bool] = lambda parameter: not parameter.buffer
) -> dict[str, list[Additions]]:
    """The additions of gradients in the backward pass of a training step, by node; those of 0 left out.

    Raises GraphError where they differ from one repetition of a block to the next, a symbolic number of times.
    """
    walk = _Walk(trained)
    walk.visit(graph, {value.name: False for value in graph.inputs}, [0] * len(graph.outputs), 1, (), ())
    walk.add_parameters()
    return walk.found


@attrs.define
class _Shared:
    """A parameter's storage and its uses."""

    node: str
    parameter: Parameter
    instances: Dim
    owned: bool
    uses: Dim = 0


class _Walk:
    """One walk over a graph: what needs a gradient comes from above, how often it is used from below."""

    def __init__(self, trained: Callable[[Parameter], bool]) -> None:
        self.trained = trained
        self.found: dict[str, list[Additions]] = {}
        self.parameters: dict[tuple[str, tuple[int, ...]], _Shared] = {}

    def visit(
        self,
        graph: Graph,
        needs: dict[str, bool],
        after: Sequence[Dim],
        times: Dim,
        repeats: tuple[Dim, ...],
        starts: tuple[int, ...],
    ) -> list[bool]:
        """Record a graph's additions, given which inputs need a gradient and how often each output is used; gives
        which of its outputs need one."""
        used = uses(graph, after)
        for node in graph.nodes:
            if isinstance(node, Block):
                self._block(node, needs, used, times, repeats, starts)
                continue
            wanted = self._needing(node, needs)
            if not wanted:
                continue
            for parameter in node.parameters:
                if parameter.spec.dtype in FLOATING and self.trained(parameter):
                    self._use(parameter, node, times, repeats, starts)
            for value in node.outputs:
                if needs[value.name]:
                    self._add(node.name, value.name, used.get(value.name, 0), value.spec.elements, times)
        return [needs[value.name] for value in graph.outputs]

    def _needing(self, node: Node, needs: dict[str, bool]) -> bool:
        """Whether a node computes gradients; notes which of its outputs need one."""
        flows = any(needs[value.name] and value.spec.dtype in FLOATING for value in node.values) or any(
            parameter.spec.dtype in FLOATING and self.trained(parameter) for parameter in node.parameters
        )
        for value in node.outputs:
            needs[value.name] = flows and value.spec.dtype in FLOATING
        return any(needs[value.name] for value in node.outputs)

    def _block(
        self,
        block: Block,
        needs: dict[str, bool],
        used: Mapping[str, Dim],
        times: Dim,
        repeats: tuple[Dim, ...],
        starts: tuple[int, ...],
    ) -> None:
        carried = len(block.carry)
        out = [used.get(value.name, 0) for value in block.outputs]
        stack = [False] * (len(block.outputs) - carried)
        results: list[bool] = []
        for entering, after, count in self._runs(block, [needs[value.name] for value in block.values], out):
            inner = dict(zip((value.name for value in block.body.inputs), entering, strict=True))
            within = ((*repeats, block.repeat), (*starts, block.start))
            results = self.visit(block.body, inner, after, times * count, *within)
            stack = [a or b for a, b in zip(stack, results[carried:], strict=True)]
        for value, need in zip(block.outputs, results[:carried] + stack, strict=True):
            needs[value.name] = need
        last = next(node for node in reversed(list(block.body.walk())))
        for value, need, count in zip(block.outputs[carried:], stack, out[carried:], strict=True):
            if need:
                self._add(last.name, value.name, count, value.spec.elements, times)

    def _runs(self, block: Block, entering: list[bool], out: list[Dim]) -> list[tuple[list[bool], list[Dim], Dim]]:
        """The repetitions of a block, in order, alike ones together: which of what enters needs a gradient, how often
        the results are used, and how many such repetitions there are."""
        above = [entering]
        while (following := self._flows(block, above[-1])) != above[-1] and len(above) <= len(block.carry) + 1:
            above.append(following)
        below = _below(block, out)
        repeat = block.repeat
        if type(repeat) is int:
            if following != above[-1] or not below.steady or repeat <= len(above) + len(below.results):
                return self._written_out(block, entering, out, repeat)
        elif following != above[-1] or not below.steady:
            raise GraphError(
                f"block {block.name!r} passes values on whose gradients differ by repetition, {repeat} times: give a "
                "number"
            )
        steady = below.results[-1]
        first = [(needs, steady, 1) for needs in above[:-1]]
        last = [(above[-1], results, 1) for results in reversed(below.results[:-1])]
        return [*first, (above[-1], steady, repeat - len(first) - len(last)), *last]

    def _written_out(
        self, block: Block, entering: list[bool], out: list[Dim], repeat: int
    ) -> list[tuple[list[bool], list[Dim], Dim]]:
        results = []
        following = [*out[: len(block.carry)], *[0] * len(block.constants)]
        for _ in range(repeat):
            results.append(_results(block, following))
            following = _entering(block, following)
        runs: list[tuple[list[bool], list[Dim], Dim]] = []
        for after in reversed(results):
            runs.append((entering, after, 1))
            entering = self._flows(block, entering)
        return runs

    def _flows(self, block: Block, entering: list[bool]) -> list[bool]:
        """What enters the next repetition with a gradient."""
        inner = dict(zip((value.name for value in block.body.inputs), entering, strict=True))
        carried = len(block.carry)
        return self._through(block.body, inner)[:carried] + entering[carried:]

    def _through(self, graph: Graph, needs: dict[str, bool]) -> list[bool]:
        """Which of a graph's outputs need a gradient."""
        quiet = _Walk(self.trained)
        return quiet.visit(graph, needs, [0] * len(graph.outputs), 1, (), ())

    def _add(self, node: str, name: str, used: Dim, elements: Dim, times: Dim) -> None:
        count = maximum(used - 1, 0)
        if not same(count, 0):
            self.found.setdefault(node, []).append(Additions(name, False, used, elements, count, times))

    def _use(
        self, parameter: Parameter, node: Node, times: Dim, repeats: tuple[Dim, ...], starts: tuple[int, ...]
    ) -> None:
        name = parameter.tied_to or parameter.name
        key = (name, starts[: name.count("*")])
        shared = self.parameters.get(key)
        if shared is None:
            shared = _Shared(node.name, parameter, instances(name, repeats), not parameter.tied_to)
            self.parameters[key] = shared
        elif not shared.owned and not parameter.tied_to:
            shared.node, shared.owned = node.name, True
        shared.uses = shared.uses + times

    def add_parameters(self) -> None:
        """Record the additions of the parameters, whose uses are all known by now."""
        for shared in self.parameters.values():
            count = shared.uses - shared.instances
            if not same(count, 0):
                name, elements = shared.parameter.name, shared.parameter.spec.elements
                item = Additions(name, True, shared.uses, elements, count, 1)
                self.found.setdefault(shared.node, []).append(item)


def uses(graph: Graph, after: Sequence[Dim]) -> dict[str, Dim]:
    """How many gradients each value of a graph gets, given how many each of its outputs gets from outside."""
    counts: dict[str, Dim] = {}

    def count(name: str, more: Dim) -> None:
        counts[name] = counts.get(name, 0) + more

    for value, more in zip(graph.outputs, after, strict=True):
        count(value.name, more)
    for node in reversed(graph.nodes):
        if isinstance(node, Block):
            entering = _first(node, [counts.get(value.name, 0) for value in node.outputs])
            for value, more in zip(node.values, entering, strict=True):
                count(value.name, more)
        elif any(value.spec.dtype in FLOATING for value in node.outputs):
            for value in node.values:
                count(value.name, 1)
    return counts


@attrs.frozen
class _Below:
    """How often the results of a block's last repetitions are used, the last one's first; `steady` says that all
    earlier ones are like the last in the list."""

    results: list[list[Dim]]
    steady: bool


def _below(block: Block, out: Sequence[Dim]) -> _Below:
    following = [*out[: len(block.carry)], *[0] * len(block.constants)]
    found = [_results(block, following)]
    for _ in range(len(block.carry) + 1):
        following = _entering(block, following)
        found.append(_results(block, following))
    before = _results(block, _entering(block, following))
    steady = _alike(found[-1], before)
    while steady and len(found) > 1 and _alike(found[-1], found[-2]):
        found.pop()
    return _Below(found, steady)


def _results(block: Block, following: Sequence[Dim]) -> list[Dim]:
    """How often each result of a repetition is used; one that only passes an input on is none of its making."""
    inputs = {value.name for value in block.body.inputs}
    stacked = [1] * (len(block.outputs) - len(block.carry))
    after = [*following[: len(block.carry)], *stacked]
    return [0 if value.name in inputs else n for value, n in zip(block.body.outputs, after, strict=True)]


def _entering(block: Block, following: Sequence[Dim]) -> list[Dim]:
    """How often what enters a repetition is used in it and after, given the same of the next one."""
    carried = len(block.carry)
    stacked = [1] * (len(block.outputs) - carried)
    inner = uses(block.body, [*following[:carried], *stacked])
    here = [inner.get(value.name, 0) for value in block.body.inputs]
    return here[:carried] + [a + b for a, b in zip(here[carried:], following[carried:], strict=True)]


def _first(block: Block, out: Sequence[Dim]) -> list[Dim]:
    """How often what enters a block is used in it and after: each repetition adds the same once the last few, whose
    results leave the block, are behind."""
    state = [*out[: len(block.carry)], *[0] * len(block.constants)]
    repeat = block.repeat
    done = len(block.carry) + 1
    if type(repeat) is int and repeat <= done:
        for _ in range(repeat):
            state = _entering(block, state)
        return state
    for _ in range(done):
        state = _entering(block, state)
    one = _entering(block, state)
    two = _entering(block, one)
    growth = [b - a for a, b in zip(state, one, strict=True)]
    if _alike([a + b for a, b in zip(one, growth, strict=True)], two):
        return [a + (repeat - done) * b for a, b in zip(state, growth, strict=True)]
    if type(repeat) is not int:
        raise GraphError(f"block {block.name!r} carries values round that change places, {repeat} times: give a number")
    for _ in range(repeat - done):
        state = _entering(block, state)
    return state


def _alike(a: Sequence[Dim], b: Sequence[Dim]) -> bool:
    return all(same(x, y) for x, y in zip(a, b, strict=True))
