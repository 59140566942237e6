"""Folding a graph that is written out: `fold` is the way back from `unroll`, and no figure changes."""

from __future__ import annotations

import pytest
import sympy
import written_out
from folded import SHAPE, Layer, blocks, count, fc, folded, found, residual, written

import graphacct
from graphacct import Builder, Graph, Parameter, TensorSpec, Value
from graphacct.hooks.manager import default

# what layers are


def test_equal_layers_are_a_block() -> None:
    """Layers are found by their index, whatever it begins with."""
    assert found(written(3, residual)) == [("layers.*", 3, 0, 2)]
    assert found(written(3, residual, first=4)) == [("layers.*", 3, 4, 2)]
    assert found(written(2, residual, scope="model.h.0.layers")) == [("model.h.0.layers.*", 2, 0, 2)]


@pytest.mark.parametrize("layers", [1, 0])
def test_a_single_layer_stays_written_out(layers: int) -> None:
    """One layer is no run."""
    graph = written(layers, residual)
    assert graph.fold() is graph


def test_layers_with_a_period() -> None:
    """Five local layers and a global one are one repetition; what is left over is a block of its own."""

    def layer(b: Builder, x: Value, index: int) -> Value:
        return b.apply("gelu" if index % 6 == 5 else "relu", residual(b, x), name="act")  # type: ignore[no-any-return]

    assert found(written(20, layer)) == [("layers.6*", 3, 0, 18), ("layers.*", 2, 18, 3)]
    names = [node.name for node in folded(written(20, layer)).walk()]
    assert names[:3] == ["layers.6*.fc", "layers.6*.residual", "layers.6*.act"]
    assert names[15:18] == ["layers.6*+5.fc", "layers.6*+5.residual", "layers.6*+5.act"]
    alternating = written(6, lambda b, x, index: b.apply(("relu", "gelu")[index % 2], x, name="act"))
    assert found(alternating) == [("layers.2*", 3, 0, 2)]


@pytest.mark.parametrize(
    ("odd", "expected"),
    [
        (0, [("layers.*", 6, 1, 2)]),
        (6, [("layers.*", 6, 0, 2)]),
        (3, [("layers.*", 3, 0, 2), ("layers.*+4", 3, 0, 2)]),
        (1, [("layers.*", 5, 2, 2)]),
    ],
)
def test_an_odd_layer_stays_between_the_runs(odd: int, expected: object) -> None:
    """A layer of another kind at an end or between two runs is written out; so is a run of one."""

    def layer(b: Builder, x: Value, index: int) -> Value:
        return fc(b, b.apply("gelu", x, name="act")) if index == odd else residual(b, x)

    assert found(written(7, layer)) == expected


def test_a_first_layer_that_makes_more_is_folded_all_the_same() -> None:
    """What layer 0 makes before it does what all do is written out before the block."""

    def layer(b: Builder, x: Value, index: int) -> Value:
        if index == 0:
            x = b.apply("gelu", x, name="table")
        return residual(b, x)

    graph = folded(written(4, layer))
    assert [node.name for node in graph.nodes] == ["layers.0.table", "layers.*"]
    assert found(written(4, layer)) == [("layers.*", 4, 0, 2)]


def test_several_lists_in_a_row_and_lists_inside() -> None:
    """An encoder's layers and a decoder's are a block each; experts are blocks inside."""
    b = Builder("both", default().operators)
    x = b.input("x", SHAPE)
    for scope, layers in (("encoder.layers", 3), ("decoder.layers", 4)):
        for index in range(layers):
            with b.scope(f"{scope}.{index}"):
                for expert in range(2):
                    with b.scope(f"experts.{expert}"):
                        x = residual(b, x)
                x = b.apply("relu", x, name="act")
    assert found(b.graph(x)) == [
        ("encoder.layers.*", 3, 0, 2),
        ("encoder.layers.*.experts.*", 2, 0, 2),
        ("decoder.layers.*", 4, 0, 2),
        ("decoder.layers.*.experts.*", 2, 0, 2),
    ]


def test_lists_inside_layers_that_differ() -> None:
    """Stages of other widths are written out, the equal blocks inside them are not."""
    b = Builder("stages", default().operators)
    x = b.input("x", SHAPE)
    for stage, width in enumerate((4, 8)):
        with b.scope(f"stages.{stage}"):
            x = fc(b, x, "down", width)
            for index in range(3):
                with b.scope(f"blocks.{index}"):
                    x = b.apply("add", x, fc(b, x, width=width), name="residual")
    assert found(b.graph(x)) == [("stages.0.blocks.*", 3, 0, 2), ("stages.1.blocks.*", 3, 0, 2)]


def test_lists_in_turn_are_one_block() -> None:
    """A layer of one list, then one of another: both have the index in the block's body."""
    b = Builder("turns", default().operators)
    x = b.input("x", SHAPE)
    for index in range(4):
        with b.scope(f"norms.{index}"):
            x = b.apply("relu", x, name="act")
        with b.scope(f"mixers.{index + 1}"):
            x = fc(b, x)
    graph = folded(b.graph(x))
    assert [node.name for node in graph.walk()] == ["norms.*.act", "mixers.*+1.fc"]


def test_names_with_several_indices() -> None:
    """The index that grows is the layer's; the others are part of the name."""
    graph = folded(written(3, lambda b, x, index: b.apply("relu", x, name="parts.7.act.2"), scope="stack.5.layers"))
    assert [node.name for node in graph.walk()] == ["stack.5.layers.*.parts.7.act.2"]


def test_a_list_that_runs_twice() -> None:
    """The second time it is a block of another name; with the same weights it stays written out, which a report of two
    blocks would count twice."""

    def twice(second: str) -> Graph:
        b = Builder("twice", default().operators)
        x = b.input("x", SHAPE)
        for name, weight in (("first", "first"), ("second", second)):
            for index in range(3):
                with b.scope(f"layers.{index}"):
                    x = b.apply("linear", x, b.parameter(f"{weight}.weight", (4, 4)), name=name)
        return b.graph(x)

    assert found(twice("second")) == [("layers.*", 3, 0, 1), ("layers.*+0", 3, 0, 1)]
    assert found(twice("first")) == []


# parameters and values


def test_shared_and_tied_parameters() -> None:
    """A parameter of all layers has no `*`, one that is tied has it twice; ties to layer 0 keep that one out."""

    def shared(b: Builder, x: Value, index: int) -> Value:
        return b.apply("linear", x, Parameter("shared.weight", TensorSpec((4, 4))), name="fc")  # type: ignore[no-any-return]

    def tied(b: Builder, x: Value, index: int) -> Value:
        x = b.apply("linear", x, b.parameter("a", (4, 4)), name="first")
        return b.apply("linear", x, b.parameter("b", (4, 4), tied_to=f"layers.{index}.a"), name="second")  # type: ignore[no-any-return]

    def to_the_first(b: Builder, x: Value, index: int) -> Value:
        return b.apply("linear", x, b.parameter("w", (4, 4), tied_to="layers.0.w" if index else ""), name="fc")  # type: ignore[no-any-return]

    def next_to(b: Builder, x: Value, index: int) -> Value:
        return b.apply("linear", x, Parameter(f"layers.{index + 1}.w", TensorSpec((4, 4))), name="fc")  # type: ignore[no-any-return]

    def names(layer: Layer) -> list[tuple[str, str]]:
        return [(p.name, p.tied_to) for node in folded(written(4, layer)).walk() for p in node.parameters]

    assert names(shared) == [("shared.weight", "")]
    assert names(tied) == [("layers.*.a", ""), ("layers.*.b", "layers.*.a")]
    assert names(to_the_first) == [("layers.0.w", ""), ("layers.*.w", "layers.0.w")]
    assert names(next_to) == [("layers.*+1.w", "")]


def test_a_parameter_that_is_used_elsewhere_is_in_no_block() -> None:
    """The head has the weight of layer 2: as `layers.*.fc.weight` and as `layers.2.fc.weight` it would count twice."""
    b = Builder("head", default().operators, workload={"phase": "forward"})
    x = b.input("x", SHAPE)
    for index in range(6):
        with b.scope(f"layers.{index}"):
            x = residual(b, x)
    graph = b.graph(b.apply("linear", x, Parameter("layers.2.fc.weight", TensorSpec((4, 4))), name="head"))
    assert found(graph) == [("layers.*", 2, 0, 2), ("layers.*+3", 3, 0, 2)]
    assert written_out.figures(folded(graph)) == written_out.figures(graph)


def test_experts_that_all_layers_share_stay_written_out_in_the_layers() -> None:
    """A parameter without the layer's index cannot have the expert's: the first `*` is the outermost block's."""

    def layer(b: Builder, x: Value, index: int) -> Value:
        for expert in range(3):
            weight = Parameter(f"experts.{expert}.weight", TensorSpec((4, 4)))
            x = b.apply("linear", x, weight, name=f"experts.{expert}.fc")
        return x

    assert found(written(4, layer)) == [("layers.*", 4, 0, 3)]


def test_values_that_come_from_two_layers_back() -> None:
    """Layers that read what the last but one made carry two values, which change places."""
    b = Builder("back", default().operators, workload={"phase": "train"})
    before, x = b.input("a", SHAPE), b.input("b", SHAPE)
    for index in range(8):
        with b.scope(f"layers.{index}"):
            before, x = x, b.apply("add", before, fc(b, x), name="add")
    graph = b.graph(x, before)
    assert found(graph) == [("layers.*", 8, 0, 2)]
    assert len(next(blocks(graph.fold())).carry) == 3
    assert written_out.differences(graph.fold()) == []


def test_a_table_that_the_first_layer_makes_is_a_constant_of_the_others() -> None:
    """A cache that is made on first use: layer 0 is written out, the others see what it made."""
    table: list[Value] = []

    def layer(b: Builder, x: Value, index: int) -> Value:
        x = fc(b, x)
        if not table:
            table.append(b.apply("constant", shape=SHAPE, dtype="float32", name="table"))
        return b.apply("mul", x, table[0], name="turned")  # type: ignore[no-any-return]

    graph = folded(written(5, layer))
    block = next(blocks(graph))
    assert (block.repeat, block.start, [value.name for value in block.constants]) == (4, 1, ["layers.0.table"])


def test_what_layers_hold() -> None:
    """Each layer holds its own value, and the one that it was given; the last result is held by the model."""
    b = Builder("held", default().operators, workload={"phase": "train"})
    x = b.apply("relu", b.input("x", SHAPE), name="embed")
    b.hold(x, until="head")

    def layer(b: Builder, x: Value) -> Value:
        b.hold(x)
        y = fc(b, x)
        b.hold(y)
        return b.apply("add", x, b.apply("relu", y, name="act"), name="residual")  # type: ignore[no-any-return]

    x = b.repeat("layers", 4, layer, x)
    b.hold(x)
    graph = b.graph(b.apply("relu", x, name="head"))
    again = folded(graph.unroll())
    assert count(again) == count(graph)
    assert next(blocks(again)).body.held == next(blocks(graph)).body.held
    assert written_out.differences(again) == []


def test_a_value_that_one_layer_alone_holds_keeps_it_apart() -> None:
    """Layer 2 holds what the others do not."""

    def layer(b: Builder, x: Value, index: int) -> Value:
        y = fc(b, x)
        if index == 2:
            b.hold(y)
        return b.apply("relu", b.apply("gelu", y, name="act"), name="end")  # type: ignore[no-any-return]

    assert found(written(6, layer)) == [("layers.*", 2, 0, 3), ("layers.*+3", 3, 0, 3)]


def test_what_is_a_block_already_stays() -> None:
    """Folding twice is folding once."""
    graph = folded(written(4, residual))
    assert graph.fold() is graph


def test_symbolic_sizes() -> None:
    """Shapes with a symbol are equal where their expressions are."""
    length = sympy.Symbol("s", positive=True, integer=True)
    graph = graphacct.build("gpt2", seq_len=length)
    assert count(folded(graph.unroll())) == count(graph)


def test_the_transform() -> None:
    """`--transform fold` folds a graph, and its workload says so."""
    flat = graphacct.build("gpt2", seq_len=8).unroll()
    report = graphacct.account(flat, transforms=["fold"])
    assert count(report.annotated.graph) == 25
    assert report.workload["transforms"] == ({"name": "fold", "options": {}},)
    assert report.total == graphacct.account(flat).total
