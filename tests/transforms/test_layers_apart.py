"""What keeps layers written out when a graph is folded: what is not equal, and results that no block can return."""

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


def test_a_result_that_is_used_later_ends_a_run() -> None:
    """What layers 2 and 5 return is used after all of them: each is the last of a block."""
    b = Builder("later", default().operators)
    x = b.input("x", SHAPE)
    kept = []
    for index in range(7):
        with b.scope(f"layers.{index}"):
            x = residual(b, x)
        kept += [x] if index in (2, 5) else []
    graph = b.graph(x, *kept)
    assert found(graph) == [("layers.*", 3, 0, 2), ("layers.*+3", 3, 0, 2)]


def test_what_the_last_layer_alone_returns_leaves_it_written_out() -> None:
    """A block returns what it carries; the last layer's inner value is no such thing."""
    b = Builder("inner", default().operators)
    x = b.input("x", SHAPE)
    for index in range(4):
        with b.scope(f"layers.{index}"):
            y = fc(b, x)
            x = b.apply("add", x, y, name="residual")
    assert found(b.graph(x, y)) == [("layers.*", 3, 0, 2)]


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
