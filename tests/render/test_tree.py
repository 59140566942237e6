"""The tree of scopes: which rows a table shows, and which it shows as one line."""

from __future__ import annotations

import attrs
import pytest
import sympy

from graphacct import Builder, ConfigError, Report, account
from graphacct.hooks.manager import default
from graphacct.render.sheet import sheet
from graphacct.render.table import table
from graphacct.render.tree import LINES, tree

VIEWS = ("left", "middle", "right", "last")


def _report(prefix: str = "", views: tuple[str, ...] = VIEWS, repeat: int = 1) -> Report:
    """A product, views of it (a copy first), and a relu."""
    builder = Builder("cut", default().operators)
    weight = builder.parameter(f"{prefix}up.weight", (8, 8))
    x = builder.apply("linear", builder.input("x", (4, 8)), weight, name=f"{prefix}up")
    for _ in range(repeat):
        for name in views:
            builder.apply("slice", x, dim=0, start=0, length=2, name=f"{prefix}{name}")
        x = builder.apply("relu", x, name=f"{prefix}act")
    return account(builder.graph(x))


def _labels(report: Report, depth: int | None = None) -> list[tuple[str, str]]:
    return [(line.cells[0], line.cells[1]) for line in sheet(report, depth=depth).lines]


def test_what_costs_little_is_one_line() -> None:
    """Four views share one, which says how many they are and has their sum; the table says how to see each."""
    report = _report()
    assert _labels(report) == [("up", "linear"), ("act", "relu"), ("left and 3 more", "")]
    drawn = table(report)
    assert "lines “and … more” are sums of what is less than 0.1 % each; give a depth to list each" in drawn
    one = _report(views=VIEWS[:1])
    assert [label for label, _ in _labels(one)] == ["up", "left", "act"]  # one has its own line
    assert "more" not in table(one)


def test_a_depth_lists_each() -> None:
    """With a depth, every row of so many levels has its line, and nothing has to be said."""
    report = _report("part.")
    assert [label for label, _ in _labels(report, 2)] == ["part", "up", *VIEWS, "act"]
    assert "more" not in table(report, depth=2)
    assert [line.indent for line in sheet(report).lines] == [0, 1, 1, 1]


def test_what_has_a_part_of_a_chosen_column_keeps_its_line() -> None:
    """What has all of the transcendentals has its line if they are asked for, and else shares one."""
    builder = Builder("rare", default().operators)
    x = builder.apply("linear", builder.input("x", (4096, 8)), builder.parameter("w", (8, 8)), name="up")
    for name in ("one", "two"):
        builder.apply("exp", builder.input(name, (1,)), name=f"exp_{name}")
    report = account(builder.graph(builder.apply("relu", x, name="act")))
    assert [label for label, _ in _labels(report)] == ["up", "act", "exp_one and 1 more"]
    lines = sheet(report, columns=["transcendentals"]).lines
    assert [line.cells[0] for line in lines] == ["up", "exp_one", "exp_two", "act"]


@pytest.mark.parametrize("name", ["llama-3-8b", "mixtral-8x7b", "t5-base", "hf-resnet-50"])
@pytest.mark.parametrize("phase", ["forward", "train"])
def test_lines_add_up(name: str, phase: str) -> None:
    """Those of the top are the total, and those in a scope are the scope: what shares a line is in its sum."""
    quantities = ["params", "flops", "activation_bytes", "write_bytes"]
    report = account(name, phase=phase, quantities=[*quantities, "step_flops"] if phase == "train" else quantities)
    branches = tree(report, None)
    assert len(branches) <= LINES
    summed = [index for index, quantity in enumerate(report.quantities) if quantity.adds_up]
    above: list[int] = []
    open_: list[list[int]] = [[0] * len(report.quantities)]
    whole = [[report.total[quantity.name] for quantity in report.quantities]]
    for branch in branches:
        while branch.row.depth < len(open_) - 1:
            _check(open_.pop(), whole.pop(), summed)
        if branch.row.depth > len(open_) - 1:
            open_.append([0] * len(report.quantities))
            whole.append(above)
        above = [*branch.row.figures]
        open_[-1] = [a + b for a, b in zip(open_[-1], above, strict=True)]
    while open_:
        _check(open_.pop(), whole.pop(), summed)


def _check(found: list[int], whole: list[int], summed: list[int]) -> None:
    assert [found[index] for index in summed] == [whole[index] for index in summed]


def test_a_llama_shows_its_block() -> None:
    """Projections, norms and residuals have their lines; the rotary tables one."""
    labels = [label for label, _ in _labels(account("llama-3-8b", quantities=["params", "flops", "activation_bytes"]))]
    attention = ["q_proj", "k_proj", "v_proj", "q_rope", "k_rope", "sdpa", "o_proj", "q_heads and 7 more"]
    mlp = ["gate_proj", "act", "up_proj", "gated", "down_proj"]
    norms = ["input_layernorm", "post_attention_layernorm"]
    block = [norms[0], "self_attn", *attention, "attn_residual", norms[1], "mlp", *mlp, "mlp_residual"]
    assert labels == ["model", "embed_tokens", "rotary_emb", "layers ×32", *block, "norm", "lm_head"]


def test_a_line_has_the_sum_of_what_it_stands_for() -> None:
    """Bytes add up: three copies of 4x8 float32 are 3 * 128 bytes written, beside a million."""
    builder = Builder("copies", default().operators)
    builder.apply("relu", builder.input("large", (512, 512)), name="act")
    x = builder.input("x", (4, 8))
    for name in ("a", "b", "c"):
        builder.apply("concat", x, x, dim=0, name=name)
    branch = tree(account(builder.graph(x)), None)[-1]
    assert (branch.label, branch.fold.gathered) == ("a and 2 more", 3)
    assert branch.row.values["activation_bytes"] == 3 * 2 * 128


def test_many_equal_ones_have_lines_as_far_as_they_go() -> None:
    """Of 2,000 operators none has a thousandth; 35 have a line, and one has the sum of the others."""
    builder = Builder("long", default().operators)
    x = builder.input("x", (1, 8))
    for index in range(2000):
        x = builder.apply("relu", x, name=f"act_{index}")
    branches = tree(account(builder.graph(x)), None)
    assert [branch.label for branch in branches[-2:]] == ["act_34", "act_35 and 1964 more"]
    assert branches[-1].row.values["flops"] == 1965 * 8


def test_an_operator_without_a_cost_has_a_line_of_its_own() -> None:
    """What is left out of every sum stands on its own line, beside views too."""
    builder = Builder("odd", default().operators)
    x = builder.apply("relu", builder.input("x", (4, 8)), name="act")
    for index in range(3):
        builder.apply("slice", x, dim=0, start=0, length=2, name=f"a_{index}")
    graph = builder.graph(builder.apply("slice", x, dim=0, start=0, length=2, name="odd"))
    nodes = [attrs.evolve(node, operator="mystery") if node.name == "odd" else node for node in graph.nodes]
    report = account(attrs.evolve(graph, nodes=tuple(nodes)), unknown="report")
    assert [label for label, _ in _labels(report)] == ["act", "odd", "a_0 and 2 more"]


def test_symbols_open_scopes_in_their_order() -> None:
    """Shares that are no numbers decide nothing; what is 0 in all measures shares a line."""
    batch = sympy.Symbol("batch", integer=True, positive=True)
    labels = [label for label, _ in _labels(account("gpt2", batch=batch))]
    assert labels[0] == "transformer"
    assert {"c_fc", "qkv and 8 more"} & {*labels}


def test_scopes_around_everything_are_shown_beside_three_levels() -> None:
    """A wrapper's scopes take no levels from the model inside: three more are open if they fit in 30 lines."""
    report = _report("base.model.layers.part.", views=())
    assert [label for label, _ in _labels(report)] == ["base", "model", "layers", "part", "up", "act"]


def test_a_depth_is_positive() -> None:
    """There is no table of no level."""
    with pytest.raises(ConfigError, match="depth must be at least 1, not 0"):
        tree(_report(), 0)
