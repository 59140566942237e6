"""What keeps layers written out when a graph is folded, and what does not: values of one repetition alone."""

from __future__ import annotations

import pytest
import written_out
from folded import SHAPE, Layer, blocks, fc, folded, found, residual, written

import graphacct
from graphacct import Builder, Parameter, TensorSpec, Value
from graphacct.hooks.manager import default


@pytest.mark.parametrize(
    "layer",
    [
        lambda b, x, index: b.apply("dropout", x, p=0.1 * (index + 1), name="drop"),
        lambda b, x, index: b.apply("relu", x, name=f"act_{index}"),
        lambda b, x, index: b.apply("relu", x, name=f"part.{index}.act"),
        lambda b, x, index: b.apply("relu", x, name=f"part.{9 - index}.act"),
        lambda b, x, index: b.apply(
            "linear", x, b.parameter("w", (4, 4), frozen=index % 2 == 0), name=f"fc.{index**2}"
        ),
        lambda b, x, index: b.apply("linear", x, Parameter(f"w.{index}.{index}", TensorSpec((4, 4))), name="fc"),
        lambda b, x, index: b.apply("linear", x, Parameter(f"w.0{index}", TensorSpec((4, 4))), name="fc"),
        lambda b, x, index: b.apply("linear", x, Parameter(f"w.{9 - index}", TensorSpec((4, 4))), name="fc"),
    ],
    ids=["attribute", "number", "two indices", "descending", "square", "two in a weight", "leading zero", "reversed"],
)
def test_layers_that_names_cannot_say_stay_written_out(layer: Layer) -> None:
    """Another attribute, a number in a name that is no index, two indices that grow, one that falls, an index that
    writing out would not give back."""
    assert found(written(4, layer)) == []


def test_nodes_without_an_index_between_layers_keep_them_apart() -> None:
    """A node of the model's own between two layers is in no layer."""
    b = Builder("between", default().operators)
    x = b.input("x", SHAPE)
    for index in range(4):
        with b.scope(f"layers.{index}"):
            x = residual(b, x)
        if index % 2:
            x = b.apply("relu", x, name=f"between_{index}")
    assert found(b.graph(x)) == [("layers.*", 2, 0, 2), ("layers.*+2", 2, 0, 2)]


def test_results_that_are_used_later_leave_the_block_one_by_one() -> None:
    """What layers 2 and 5 return is used after all of them: one block of seven layers, which returns each."""
    b = Builder("later", default().operators, workload={"phase": "train"})
    x = b.input("x", SHAPE)
    kept = []
    for index in range(7):
        with b.scope(f"layers.{index}"):
            x = residual(b, x)
        kept += [x] if index in (2, 5) else []
    graph = b.graph(x, *kept)
    assert found(graph) == [("layers.*", 7, 0, 2)]
    (block,) = blocks(folded(graph))
    assert (block.apart, len(block.outputs)) == (1, 1 + 7)
    assert [value.name for value in folded(graph).outputs] == ["layers.*:0", "layers.*:3", "layers.*:6"]
    assert written_out.figures(folded(graph)) == written_out.figures(graph)


def test_what_the_last_layer_alone_returns() -> None:
    """Its inner value leaves the block, as that of each layer could."""
    b = Builder("inner", default().operators)
    x = b.input("x", SHAPE)
    for index in range(4):
        with b.scope(f"layers.{index}"):
            y = fc(b, x)
            x = b.apply("add", x, y, name="residual")
    assert found(b.graph(x, y)) == [("layers.*", 4, 0, 2)]
    assert [value.name for value in folded(b.graph(x, y)).outputs] == ["layers.*:0", "layers.*:4"]


@pytest.mark.parametrize("training", [False, True])
def test_a_value_for_each_layer_enters_one_by_one(training: bool) -> None:
    """Each layer takes its own cache; those of a second list take what those of the first made, the last one first."""
    b = Builder("caches", default().operators, workload={"phase": "train" if training else "forward"})
    x, kept = fc(b, b.input("x", SHAPE), "embed"), []
    caches = [b.input(f"cache_{index}", SHAPE) for index in range(6)]
    for index in range(6):
        with b.scope(f"down.{index}"):
            kept.append(x := b.apply("add", fc(b, x), caches[index], name="cached"))
    for index in range(6):
        with b.scope(f"up.{index}"):
            x = fc(b, b.apply("mul", x, kept[5 - index], name="joined"))
    graph = b.graph(x)
    again = folded(graph)
    assert found(graph) == [("down.*", 6, 0, 2), ("up.*", 6, 0, 2)]
    down, up = blocks(again)
    assert [value.name for value in down.each[0]] == [cache.name for cache in caches]
    assert [value.name for value in up.each[0]] == [f"down.*:{index}" for index in (0, 5, 4, 3, 2, 1)]
    assert written_out.figures(again) == written_out.figures(graph)


def test_two_values_by_turns_are_no_values_of_each() -> None:
    """Layers that read a, b, a, b keep their period, in which a and b are constants; the fifth is written out."""
    b = Builder("masks", default().operators)
    x = b.input("x", SHAPE)
    masks = [b.input(name, SHAPE) for name in ("a", "b")]
    for index in range(5):
        with b.scope(f"layers.{index}"):
            x = b.apply("mul", x, masks[index % 2], name="masked")
    (block,) = blocks(folded(b.graph(x)))
    assert (block.name, block.repeat, block.each, len(block.constants)) == ("layers.2*", 2, (), 2)


def test_a_layer_that_reads_another_value_is_in_no_run_with_the_rest() -> None:
    """Layers that read one of two values by turns have a period of two."""
    b = Builder("masks", default().operators)
    x = b.input("x", SHAPE)
    masks = [b.input(name, SHAPE) for name in ("a", "b")]
    for index in range(6):
        with b.scope(f"layers.{index}"):
            x = b.apply("mul", x, masks[index % 2], name="masked")
    assert found(b.graph(x)) == [("layers.2*", 3, 0, 2)]


def test_layers_before_a_block_are_counted_beside_it() -> None:
    """Layers 0 and 1 have no node of a name that the others have: the scope's row counts all five all the same."""

    def layer(b: Builder, x: Value, index: int) -> Value:
        return b.apply("relu", x, name=f"part_{index}" if index < 2 else "act")  # type: ignore[no-any-return]

    graph = written(5, layer)
    again = folded(graph)
    assert [(block.name, block.start) for block in blocks(again)] == [("layers.*", 2)]
    assert written_out.figures(again) == written_out.figures(graph)
    assert graphacct.account(again)["layers.*"].repeat == 5
