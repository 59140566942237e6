"""Parameters that several blocks share, repetition by repetition: as written out, or refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import written_out

from graphacct import Builder, Graph, GraphError, Parameter, TensorSpec, Value, account, memory
from graphacct.hooks.manager import default

WEIGHT = "layers.*.weight"


def weight(name: str = WEIGHT, tied_to: str = "") -> Parameter:
    return Parameter(name, TensorSpec((4, 4)), tied_to)


def stacks(*blocks: tuple[str, int, Any], starts: Sequence[int] = (0, 0)) -> Graph:
    """One block after another over (1, 3, 4) values, each of so many products, with the weight or what is given."""
    b = Builder("stacks", default().operators, workload={"phase": "train"})
    x = b.input("x", (1, 3, 4))
    for (name, times, body), start in zip(blocks, starts, strict=True):
        if isinstance(body, Parameter):
            x = b.repeat(name, times, lambda b, h, w=body: b.apply("linear", h, w, name="fc"), x, start=start)
        else:
            x = b.repeat(name, times, body, x, x, start=start)[0]
    return b.graph(b.apply("sum", x, name="loss"))


def turning(b: Builder, x: Value, y: Value) -> list[Value]:
    """Two values that change places, which tells more repetitions apart than one does."""
    return [y, b.apply("linear", x, weight(), name="fc")]


@pytest.mark.parametrize("recompute", ["none", "full", "twin.*"])
@pytest.mark.parametrize("profile", ["torch-autocast-cuda", "torch-autocast-cpu", "torch-eager-cuda"])
@pytest.mark.parametrize("times", [4, 13])
@pytest.mark.parametrize("second", [weight(), weight("twin.*.weight", WEIGHT), turning])
def test_blocks_that_share_have_the_figures_of_them_written_out(
    second: Any, times: int, profile: str, recompute: str
) -> None:
    """A siamese encoder's second run takes the first one's copies in 16 bits, and makes none of its own: of 13 layers
    13, not 26, even if the second block tells other repetitions apart."""
    graph = stacks(("layers", times, weight()), ("twin", times, second))
    assert written_out.differences(graph, profile=profile, recompute=recompute) == []


@pytest.mark.parametrize("second", [weight(), weight("twin.*.weight", WEIGHT)])
def test_blocks_that_share_repeat_equally_often(second: Parameter) -> None:
    """Of 5 and 6 layers the sixth of the second block would have no tensor."""
    message = (
        "node 'twin.*.fc': parameter 'layers.*.weight' is that of 6 repetitions here but of 5 elsewhere; blocks that "
        "share it repeat equally often: split the longer block where the shorter one ends"
    )
    with pytest.raises(GraphError, match=re.escape(message)):
        account(stacks(("layers", 5, weight()), ("twin", 6, second)))


def test_the_way_out_is_one() -> None:
    """The longer block in two: 6 tensors of 16 elements in all."""
    graph = stacks(("layers", 5, weight()), ("twin", 5, weight()), ("more", 1, weight()), starts=(0, 0, 5))
    assert account(graph).total["params"] == 6 * 16
    assert written_out.differences(graph, profile="torch-autocast-cuda") == []


@pytest.mark.parametrize(
    ("name", "start", "message"),
    [
        ("layers.3.weight", 0, "parameters 'layers.*.weight' and 'layers.3.weight' are the same tensor at some"),
        ("layers.*+3.weight", 0, "parameters 'layers.*.weight' and 'layers.*+3.weight' are the same tensor at some"),
        ("layers.2*+1.weight", 0, "parameters 'layers.*.weight' and 'layers.2*+1.weight' are the same tensor at"),
        (WEIGHT, 3, "parameter 'layers.*.weight', from index 0 and from 3 on, is the same tensor at some indices"),
    ],
)
def test_a_tensor_with_two_names_is_refused(name: str, start: int, message: str) -> None:
    """It would be counted twice: the second block's tensors are, or are among, the five of the first."""
    graph = stacks(("layers", 5, weight()), ("twin", 5, weight(name)), starts=(0, start))
    with pytest.raises(GraphError, match=re.escape(message)):
        account(graph)


@pytest.mark.parametrize(
    ("name", "start"), [("layers.5.weight", 0), ("layers.*+5.weight", 0), (WEIGHT, 5), ("layers.*.other", 3)]
)
def test_names_of_different_tensors_are_not(name: str, start: int) -> None:
    """Each is its own: those of the first block have indices 0 to 4."""
    graph = stacks(("layers", 5, weight()), ("twin", 5, weight(name)), starts=(0, start))
    assert account(graph).total["params"] == (6 if name == "layers.5.weight" else 10) * 16


def test_layers_that_alternate_are_apart() -> None:
    """Every third one from 0, 1 and 2 on: a million of each are not gone through."""
    parts = [(f"b{place}", 10**6, weight(f"layers.3*{f'+{place}' if place else ''}.weight")) for place in range(3)]
    assert account(stacks(*parts, starts=(0, 0, 0))).total["params"] == 3 * 10**6 * 16


def test_a_tie_starts_where_its_parameter_does() -> None:
    """Index 2 of the tied block is no first index of a block that has the parameter."""
    graph = stacks(("layers", 5, weight()), ("twin", 3, weight("twin.*.weight", WEIGHT)), starts=(0, 2))
    message = (
        "node 'twin.*.fc': parameter 'layers.*.weight' is tied to from index 2 on, where no block that has it starts: "
        "blocks that share it start and repeat alike"
    )
    with pytest.raises(GraphError, match=re.escape(message)):
        account(graph)


def test_blocks_that_share_have_a_limit() -> None:
    """Every repetition of both is scheduled in memory and in a step; a forward report folds them."""
    graph = stacks(("layers", 10**6, weight()), ("twin", 10**6, weight()))
    message = (
        "block 'layers.*' shares parameters with another block, with 1,000,000 repetitions that are all alive at once, "
        "too many to walk one by one (at most 5,000): ask for a forward report"
    )
    with pytest.raises(GraphError, match=re.escape(message)):
        memory(graph)
    forward = account(attrs.evolve(graph, workload={})).total
    assert (forward["params"], forward["matmul_flops"]) == (16 * 10**6, 2 * 10**6 * 2 * 3 * 4 * 4)
