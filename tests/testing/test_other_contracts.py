"""The contracts of recompute policies, outputs, analyses, commands and node hooks: what each inherited test finds."""

from __future__ import annotations

import itertools
from types import ModuleType
from typing import Any

import attrs
import click
import pytest

from graphacct import Analysis, Builder, Cost, Graph, Output, RecomputePolicy, account, hookimpl
from graphacct.testing import (
    AnalysisContract,
    CommandContract,
    NodeHooksContract,
    OutputContract,
    RecomputePolicyContract,
    Reference,
    Totals,
)
from graphacct.testing.contract import failures
from graphacct.training.recompute import RecomputePlan

SMALL = {"n_layer": 2, "n_embd": 32, "n_head": 4, "vocab_size": 64, "n_positions": 64}
ROWS = [Totals("gpt2", {"seq_len": 16, "set": SMALL})]
NUMBERS = itertools.count()


def net() -> Graph:
    """2 · 4 · 3 · 5 = 120 matmul FLOPs, 20 vector FLOPs."""
    b = Builder("net")
    x = b.apply("linear", b.input("x", (4, 3)), b.parameter("fc.weight", (5, 3)), name="fc")
    return b.graph(b.apply("relu", x, name="act"))


def layer() -> Graph:
    """A layer of two negations, which keep nothing, and a loss."""
    b = Builder("net")
    x = b.apply("linear", b.input("x", (4, 3)), b.parameter("fc.weight", (5, 3)), name="fc")
    x = b.apply("neg", b.apply("neg", x, name="layers.0.first"), name="layers.0.second")
    return b.graph(b.apply("mean", x, name="loss"))


def policy(of_node: Any = None, of_graph: Any = None, doc: str = "Products are kept.", **facts: Any) -> Any:
    made = RecomputePolicy("mine", doc, of_node, of_graph)
    return RecomputePolicyContract.of(made, **{"rows": ROWS, "costs_in": "nowhere", **facts})


def products(node: Any, operator: Any, ordinal: int) -> str:
    return "save" if node.operator.startswith("linear") else "recompute"


def planned(*recompute: str, saved: tuple[str, ...] = ()) -> Any:
    return lambda graph, operators: RecomputePlan(frozenset(recompute), frozenset(saved))


def output(function: Any, **facts: Any) -> Any:
    told = {"doc": "A row a line.", "command": "report", "endings": (".mine",), "options": ("by",), **facts}
    contains = told.pop("contains", ("fc", "120"))
    rows = told.pop("rows", [Totals(net())])
    return OutputContract.of(Output("mine", function=function, **told), rows=rows, contains=contains)


def lines(report: Any, by: str) -> str:
    return "".join(f"{row.get('path', '')}: {row.get('flops', row['params'])}\n" for row in report.records(by))


def analysis(of: Any, doc: str = "The operands of each node.", **facts: Any) -> Any:
    told = {"rows": [Totals(net()), *ROWS], "values": {"fc": 1, "act": 1}, **facts}
    return AnalysisContract.of(Analysis("mine", of, doc), **told)


def operands(annotated: Any) -> dict[str, Any]:
    return {record.node.name: len(record.node.values) for record in annotated.costs}


@click.command()
@click.argument("model")
def biggest(model: str) -> None:
    """The largest tensor of MODEL."""
    click.echo(max(account(model).records("parameter"), key=lambda row: row["params"])["name"])


@click.command()
@click.argument("model", required=False)
def careless(model: str | None) -> None:
    """What MODEL is called."""
    click.echo(model.upper())  # type: ignore[union-attr]


@click.command()
def silent() -> None:
    pass


def command(of: Any, **runs: str) -> Any:
    return CommandContract.of(of, runs=runs)


def hooks(rows: Any = ROWS, **functions: Any) -> Any:
    module = ModuleType("mine")
    for name, function in functions.items():
        setattr(module, f"graphacct_{name}", function)
    return type("TestMine", (NodeHooksContract,), {"plugin": module, "rows": rows, "costs_in": "nowhere"})


@hookimpl
def free(node: Any, operator: Any) -> Any:
    return Cost() if node.operator == "relu" else None


@hookimpl(wrapper=True)
def narrow(node: Any, operator: Any) -> Any:
    cost = yield
    return attrs.evolve(cost, read_bytes=cost.read_bytes // 4) if node.operator.startswith("linear") else cost


@hookimpl
def nothing(node: Any, operator: Any) -> Any:
    return 0


@hookimpl
def named(node: Any, operator: Any) -> Any:
    return Cost(matmul_flops=1) if "*" in node.name else None


@hookimpl
def hexagon(node: Any, cost: Any) -> Any:
    return {"shape": "hexagon"} if node.operator == "relu" else None


@hookimpl
def heavy(node: Any, cost: Any) -> Any:
    return {"penwidth": str(cost.cost.matmul_flops)}


@hookimpl
def wide(node: Any, cost: Any) -> Any:
    return {"penwidth": 3}


@hookimpl
def polite(function: Any, operands: Any, attributes: Any) -> Any:
    return None


@hookimpl
def greedy(function: Any, operands: Any, attributes: Any) -> Any:
    return Reference(tuple(operands))


@hookimpl
def failing(config: Any, workload: Any) -> Any:
    return {"mine": 1}[config["model_type"]]


SOUND = {
    "policy": policy(products),
    "policy of graphs": policy(
        of_graph=lambda graph, operators: RecomputePlan(
            frozenset(node.name for node in graph.walk() if "gelu" in node.operator)
        )
    ),
    "output": output(lines),
    "drawing": output(lambda report: b"fc 120", command="draw", options=()),
    "analysis": analysis(operands),
    "command": command(biggest, **{"gpt2": "wte.weight"}),
    "hooks": hooks(node_cost=free, node_style=hexagon, measure_reference=polite),
    "wrapper": hooks(node_cost=narrow),
}
BROKEN = {
    "a word that is none": (
        policy(lambda node, operator, ordinal: "drop"),
        "test_it_decides_about_nodes_that_exist",
        "recompute policy 'mine': of gpt2, seq_len=16",
    ),
    "a node of no graph": (
        policy(of_graph=planned("transformer.h.0.attn")),
        "test_it_decides_about_nodes_that_exist",
        "it decides about 'transformer.h.0.attn', which gpt2, ",
    ),
    "no plan": (
        policy(of_graph=lambda graph, operators: {"act"}),
        "test_it_decides_about_nodes_that_exist",
        "of_graph returns {'act'} for gpt2, ",
    ),
    "saved and run again": (
        policy(of_graph=planned("transformer.h.*.mlp.act", saved=("transformer.h.*.mlp.act",))),
        "test_it_decides_about_nodes_that_exist",
        "is saved and recomputed. A node whose outputs are saved does not run.",
    ),
    "names of blocks": (
        policy(lambda node, operator, ordinal: "recompute" if "*" in node.name else "keep"),
        "test_blocks_cost_what_they_cost_written_out",
        "with blocks and",
    ),
    "all outputs saved": (
        policy(lambda node, operator, ordinal: "save", rows=[Totals(layer())]),
        "test_it_saves_no_more_than_without_it",
        'without it. Say "save" only of nodes whose outputs the backward pass needs, or say why: may_save_more',
    ),
    "a policy without a sentence": (policy(products, doc=""), "test_it_says_what_it_does", "it has no doc."),
    "figures that differ": (
        policy(products, rows=[Totals("gpt2", ROWS[0].options, recompute_flops=1)]),
        "test_rows_state_the_totals",
        "and the row says 1. One of the two is wrong",
    ),
    "an option of no command": (
        output(lines, options=("by", "detph")),
        "test_its_options_are_the_commands",
        "output 'mine': options has 'detph', which report does not have. It has: by, depth, columns, binary.",
    ),
    "an option that is not taken": (
        output(lines, options=("by", "depth")),
        "test_its_options_are_the_commands",
        "its function cannot be called with the report and by, depth: got an unexpected keyword argument 'depth'",
    ),
    "an output for ints": (
        output(lambda report, by: f"fc 120 {report.total['flops']:d}", rows=ROWS, contains=("fc",)),
        "test_every_report_has_an_output",
        "with a symbol as the batch: output 'mine'",
    ),
    "printing": (
        output(lambda report, by: None),
        "test_every_report_has_an_output",
        "returned None, which is neither text nor bytes. Mend its function",
    ),
    "nothing": (output(lambda report, by: ""), "test_every_report_has_an_output", "is empty. Return the text, rather"),
    "another each time": (
        output(lambda report, by: f"fc 120 {next(NUMBERS)}"),
        "test_it_gives_the_same_each_time",
        "two outputs of one report of net differ. Leave times and addresses of objects out.",
    ),
    "a figure that is not there": (
        output(lambda report, by: "fc\n"),
        "test_rows_state_the_totals",
        "'120' is not in the output of net, which begins 'fc\\n'. Mend the function, or what contains says.",
    ),
    "a drawing without an ending": (
        output(lambda report: "fc 120", command="draw", options=(), endings=()),
        "test_it_says_what_it_is",
        "it has no ending. draw takes the format from the file's name",
    ),
    "an ending of two": (
        output(lines, endings=(".csv",)),
        "test_it_says_what_it_is",
        "files that end in .csv are of two outputs: 'csv' of graphacct.builtin (graphacct) and 'mine' of",
    ),
    "an analysis of ints": (
        analysis(lambda annotated: {r.node.name: int(r.cost.flops) for r in annotated.costs}, values={"fc": 120}),
        "test_every_phase_and_symbols_have_values",
        "failed: TypeError: Cannot convert symbols to int",
    ),
    "a node that is not there": (
        analysis(lambda annotated: {"fc.weight": 1}),
        "test_every_phase_and_symbols_have_values",
        "names the node 'fc.weight', which 'net' does not have",
    ),
    "an analysis with a memory": (
        analysis(lambda annotated: {r.node.name: next(NUMBERS) for r in annotated.costs}),
        "test_it_finds_the_same_each_time",
        "the next time. Begin afresh for each graph: keep nothing outside the function.",
    ),
    "another value": (
        analysis(operands, values={"fc": 3}),
        "test_rows_state_the_totals",
        "analysis 'mine': 'fc' of net has 1, and values say 3. One of the two is wrong",
    ),
    "no mapping": (analysis(lambda annotated: [1]), "test_rows_state_the_totals", "returned [1], which is no mapping"),
    "an analysis without a sentence": (analysis(operands, doc=""), "test_it_says_what_it_finds", "it has no doc"),
    "a command without help": (
        command(silent),
        "test_it_says_what_it_does",
        "command 'silent': its help is None. Write its docstring: `graphacct --help` shows the first line.",
    ),
    "a command that fails": (
        command(careless),
        "test_wrong_arguments_are_errors",
        "without arguments it raises AttributeError: 'NoneType' object has no attribute 'upper'. Raise click.UsageE",
    ),
    "no run": (command(careless), "test_runs_print_what_they_should", "no run is stated. Name one: runs = {"),
    "another output": (
        command(careless, gpt2="gpt-2"),
        "test_runs_print_what_they_should",
        "'gpt-2' is not in the output of 'gpt2': 'GPT2\\n'. Mend one of the two.",
    ),
    "a run that ends badly": (
        command(biggest, **{"gpt-2": "wte"}),
        "test_runs_print_what_they_should",
        "'gpt-2' ends with 1",
    ),
    "no Cost": (hooks(node_cost=nothing), "test_nodes_have_costs", "plugin 'mine': gpt2, seq_len=16"),
    "costs by name": (hooks(node_cost=named), "test_blocks_cost_what_they_cost_written_out", "with blocks and"),
    "a style of a cost": (
        hooks(node_style=heavy),
        "test_styles_are_attributes_of_graphviz",
        "without a cost raises AttributeError: 'NoneType' object has no attribute 'cost'. cost is None for a node that",
    ),
    "a style of numbers": (
        hooks(node_style=wide),
        "test_styles_are_attributes_of_graphviz",
        "is {'penwidth': 3}. Return texts by name",
    ),
    "a stranger's reference": (
        hooks(measure_reference=greedy),
        "test_what_it_does_not_know_is_left_to_others",
        "graphacct_measure_reference measures what it does not know",
    ),
    "a stranger's class": (
        hooks(measure_class=failing),
        "test_what_it_does_not_know_is_left_to_others",
        "graphacct_measure_class raises KeyError of what it does not know: 'no-such-model'. Return None for another",
    ),
}


@pytest.mark.parametrize("contract", SOUND.values(), ids=SOUND)
def test_what_is_sound_passes(contract: Any) -> None:
    assert [*failures(contract)] == []


@pytest.mark.parametrize(("contract", "test", "says"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_found(contract: Any, test: str, says: str) -> None:
    found = dict(failures(contract))
    assert test in found, found
    assert says in found[test]
