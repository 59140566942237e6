"""What layers return besides what they carry: stacked results, and outputs of the graph."""

from __future__ import annotations

import attrs
import written_out
from folded import SHAPE, blocks, fc, folded, found, residual, written

from graphacct import Block, Builder, Graph, Value
from graphacct.graph.validate import validate
from graphacct.hooks.manager import default


def test_stacked_results_come_back() -> None:
    """The node that stacks up what each layer returns becomes the block's result again, in the block's order."""
    b = Builder("stacked", default().operators, workload={"phase": "train"})

    def layer(b: Builder, x: Value, mask: Value) -> tuple[Value, ...]:
        y = b.apply("mul", residual(b, x), mask, name="masked")
        return y, y, x, mask

    results = b.repeat("layers", 4, layer, b.input("x", SHAPE), constants=(b.input("mask", SHAPE),))
    graph = b.graph(*results)
    again = folded(graph.unroll())
    block = again.nodes[0]
    assert isinstance(block, Block)
    assert len(again.nodes) == 1
    assert [str(value.spec) for value in block.outputs] == ["float32[2, 4]"] + ["float32[4, 2, 4]"] * 3
    assert written_out.differences(again) == []


def test_a_stack_of_some_results_stays_a_node() -> None:
    """A node that stacks up the results of every other layer is none that a block stands for: it takes them one by
    one."""
    flat = folded(written(4, residual)).unroll()
    some = [node.outputs[0] for node in flat.nodes if node.name.endswith("residual")][::2]
    b = Builder("stack", default().operators)
    b.input("x", SHAPE)
    b._values.update(value.name for value in some)
    stack = b.apply("stack", *some, name="layers_stack_0")
    graph = attrs.evolve(flat, nodes=(*flat.nodes, b._nodes[0]), outputs=(*flat.outputs, stack))
    again = folded(graph)
    (block,) = blocks(again)
    assert (block.repeat, block.apart) == (4, 1)
    assert [node.name for node in again.nodes] == ["layers.*", "layers_stack_0"]
    assert written_out.figures(again) == written_out.figures(graph)


def returning(layers: int, returned: range) -> Graph:
    """A graph of layers that returns the last result, and the keys and values of some layers."""
    b = Builder("caches", default().operators, workload={"phase": "forward"})
    x, caches = b.input("x", SHAPE), []
    for index in range(layers):
        with b.scope(f"layers.{index}"):
            key, value = fc(b, x, "k"), fc(b, x, "v")
            x = b.apply("add", x, b.apply("mul", key, value, name="product"), name="residual")
            caches += [key, value] if index in returned else []
    return b.graph(x, *caches)


def test_outputs_of_all_layers_leave_the_graph_stacked() -> None:
    """Only if asked: each layer's keys are one output, its values another; no figure of a forward pass changes, and
    written out it is the graph with a stack of each. Otherwise they leave it one by one."""
    graph = returning(6, range(6))
    assert found(graph) == [("layers.*", 6, 0, 4)]
    assert len(folded(graph).outputs) == 13
    stacked = graph.fold(stack_outputs=True)
    validate(stacked)
    assert [(block.name, block.repeat) for block in blocks(stacked)] == [("layers.*", 6)]
    assert [str(value.spec) for value in stacked.outputs] == ["float32[2, 4]", *["float32[6, 2, 4]"] * 2]
    assert written_out.figures(stacked) == written_out.figures(graph)
    assert stacked.unroll().nodes[: len(graph.nodes)] == graph.nodes
    assert folded(stacked.unroll()) == stacked


def test_outputs_of_some_layers_do_not() -> None:
    """What some layers alone return leaves the block one by one."""
    for some in (range(5), range(1, 6), range(2, 6)):
        graph = returning(6, some)
        assert graph.fold(stack_outputs=True) == graph.fold()
        assert found(graph) == [("layers.*", 6, 0, 4)]
        assert len(graph.fold().outputs) == 1 + 2 * len(some)
    assert written(4, residual).fold(stack_outputs=True) == written(4, residual).fold()
