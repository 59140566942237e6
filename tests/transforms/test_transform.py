"""Transforms: how they are asked for, checked, applied in order and reported; and what becomes of one that fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

import graphacct
from graphacct import Graph, Option, Transform, rewrite
from graphacct.errors import ConfigError, GraphacctError, PluginError
from graphacct.hooks.manager import Plugins, default, load
from graphacct.readers.graph_json import write
from graphacct.transforms.transform import option_text, parsed, transformed

TINY = {"n_layer": 3, "n_embd": 64, "n_head": 4, "vocab_size": 512, "n_positions": 32}
PLUGIN = '''
import graphacct
from graphacct import Option, Transform, rewrite


def without(graph, operators, kind, keep_first, scale, note):
    """The graph without the nodes of an operator, which pass their first operand on."""
    return rewrite(
        graph, operators, lambda node, place: place.inputs[0] if node.operator == kind else place.keep()
    )


def renamed(graph, operators):
    return rewrite(graph, operators, lambda node, place: place.keep(name=f"{node.name}_again"))


@graphacct.hookimpl
def graphacct_register_transforms():
    options = (
        Option("kind", str, ..., "The operator."),
        Option("keep_first", bool, False, "Nothing."),
        Option("scale", float, 1.0, "Nothing."),
        Option("note", int, 0, "Nothing."),
    )
    return [
        Transform("without", "Leaves an operator out.", without, options, ensures=("plain",)),
        Transform("again", "Renames.", renamed, requires=("plain", "phase=train"), ensures=("no plain", "renamed")),
        Transform("once", "Does nothing.", lambda graph, operators: graph, requires=("no renamed",)),
        Transform("broken", "Fails.", lambda graph, operators: 1 / 0),
        Transform("none", "Gives nothing.", lambda graph, operators: None),
        Transform("unsound", "Loses a node.", lambda graph, operators: __import__("attrs").evolve(graph, nodes=())),
    ]
'''


@pytest.fixture
def plugins(tmp_path: Path) -> Plugins:
    file = tmp_path / "rewrites.py"
    file.write_text(PLUGIN)
    return load(files=[str(file)])


def tiny(plugins: Plugins, *transforms: Any, **options: Any) -> Any:
    return graphacct.account(
        "gpt2", **{"seq_len": 16, "set": TINY, "plugins": plugins, "transforms": transforms, **options}
    )


def test_a_transform_of_a_stranger(plugins: Plugins) -> None:
    """Without its layer norms a tiny GPT-2 has 2 · 64 parameters fewer in each of 2 · 3 + 1 places, in layers and
    behind them."""
    plain, less = tiny(plugins), tiny(plugins, "without:kind=layer_norm")
    assert plain.total["params"] - less.total["params"] == 7 * 2 * 64
    assert less.workload["transforms"] == (
        {"name": "without", "options": {"kind": "layer_norm", "keep_first": False, "scale": 1.0, "note": 0}},
    )
    folded = graphacct.build("gpt2", seq_len=16, set=TINY)
    assert (
        tiny(plugins, "without:kind=layer_norm").total
        == graphacct.account(folded.unroll(), transforms=["without:kind=layer_norm"], plugins=plugins).total
    )


def test_order_and_requirements(plugins: Plugins) -> None:
    """What one ensures, the next may require, also of a graph that was saved in between; and what it takes away."""
    both = ["without:kind=gelu_new", "again"]
    report = tiny(plugins, *both, phase="train")
    assert [record["name"] for record in report.workload["transforms"]] == ["without", "again"]
    graph = graphacct.build("gpt2", seq_len=16, set=TINY, phase="train", transforms=both[:1], plugins=plugins)
    assert graphacct.account(graph, transforms=both[1:], plugins=plugins).total == report.total
    for asked, options, message in (
        (both[::-1], {"phase": "train"}, "'again' requires 'plain' of 'gpt2', which no earlier transform ensures; put"),
        (both, {}, "transform 'again' requires 'phase=train' of 'gpt2', whose phase is|which has no phase"),
        ([*both, "again"], {"phase": "train"}, "'again' requires 'plain' of 'gpt2'.*ensures it: without"),
        ([*both, "once"], {"phase": "train"}, "'once' requires 'no renamed' of 'gpt2', which an earlier transform has"),
    ):
        with pytest.raises(ConfigError, match=message):
            tiny(plugins, *asked, **options)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("withou:kind=x", "unknown transform 'withou'; did you mean 'without'?"),
        ("without", "transform 'without', option 'kind' must be given: The operator."),
        ("without:knd=x", "transform 'without' has no option 'knd'; did you mean 'kind'?"),
        ("without:kind", "transform 'without:kind' is not of the form NAME or NAME:option=value"),
        ("without:kind=x,note=1.5", "transform 'without', option 'note': '1.5' is not an integer"),
        ("without:kind=x,scale=big", "transform 'without', option 'scale': 'big' is not a number"),
        ("without:kind=x,scale=nan", "transform 'without', option 'scale': 'nan' is not a number"),
        ("without:kind=x,keep_first=1", "transform 'without', option 'keep_first': '1' is not true or false"),
        (("without", {"kind": 5}), "transform 'without', option 'kind': 5 is not a text"),
        ("once:kind=x", "transform 'once' has no option 'kind'; it takes none"),
        (5, "transform 5 is neither a text, NAME or NAME:option=value"),
        ("lora:adapters=8:*.c_atn", "transform 'lora': adapters '8:*.c_atn' matches no weight matrix; did you mean"),
    ],
)
def test_what_is_asked_for_is_checked(plugins: Plugins, asked: Any, message: str) -> None:
    """The transform, the option and the value are named, and the closest one that there is."""
    with pytest.raises(GraphacctError) as caught:
        tiny(plugins, asked)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("broken", "failed: ZeroDivisionError: division by zero"),
        ("none", "returned None, which is no Graph"),
        ("unsound", "returned a graph that is not sound: "),
    ],
)
def test_a_transform_that_fails_names_its_plugin(plugins: Plugins, asked: str, message: str, tmp_path: Path) -> None:
    """Its own exceptions have no meaning for who asked."""
    with pytest.raises(PluginError) as caught:
        tiny(plugins, asked)
    assert str(caught.value).startswith(
        f"transform {asked!r} of plugin rewrites ({tmp_path / 'rewrites.py'}) {message}"
    )


def test_a_type_that_no_option_has() -> None:
    """It is an error where the transform is defined."""
    with pytest.raises(ConfigError, match="transform 'x', option 'y': its type is <class 'list'>; known: int, float,"):
        Transform("x", "", lambda graph, operators: graph, (Option("y", list, (), ""),))


def test_texts() -> None:
    """A value may have commas and colons; an option of several texts is repeated."""
    name, options = parsed("lora:adapters=8:*.[a,b],adapters=4:*.c=d,dropout=0.5")
    assert (name, dict(options)) == ("lora", {"adapters": ("8:*.[a,b]", "4:*.c=d"), "dropout": "0.5"})
    record = {"name": "x", "options": {"several": ("a", "b"), "on": True}}
    assert option_text(record) == "x:several=a,several=b,on=true"
    assert parsed(option_text(record))[1] == {"several": ("a", "b"), "on": "true"}
    assert option_text({"name": "x", "options": {}}) == "x"


def test_lora_is_one(tmp_path: Path) -> None:
    """The long form makes the graph of the short one, which a saved file keeps with its options."""
    short = graphacct.build("gpt2", seq_len=16, set=TINY, phase="train", lora=["8:*.c_attn"], lora_dropout=0.1)
    text = "lora:adapters=8:*.c_attn,dropout=0.1"
    long = graphacct.build("gpt2", seq_len=16, set=TINY, phase="train", transforms=[text])
    assert short == long
    options = {"adapters": ("8:*.c_attn",), "dropout": 0.1, "dora": False, "saved": ()}
    assert short.workload["transforms"] == ({"name": "lora", "options": options},)
    write(short, tmp_path / "lora.json")
    assert graphacct.load(tmp_path / "lora.json") == short
    report = graphacct.account(short)
    written_down = report.to_dict()["workload"]["transforms"]
    assert json.loads(json.dumps(written_down)) == [
        {"name": "lora", "options": {**options, "adapters": ["8:*.c_attn"], "saved": []}}
    ]


def test_reports_list_them(plugins: Plugins) -> None:
    """The table's header and the CSV write them as the command line does; without any there is no such key."""
    report = tiny(plugins, "without:kind=gelu_new", "once")
    line = "transforms without:kind=gelu_new,keep_first=false,scale=1.0,note=0 once"
    assert line in " ".join(str(report).split())
    assert "transforms" not in tiny(plugins).to_dict()["workload"]
    from graphacct.render.csv import csv

    assert "transforms=without:kind=gelu_new,keep_first=false,scale=1.0,note=0 once" in csv(report)


def test_a_rewrite_that_gives_no_value_is_an_error() -> None:
    """A node with one output is replaced by one value."""
    graph = graphacct.build("gpt2", seq_len=16, set=TINY)
    with pytest.raises(GraphacctError, match=r"node 'transformer\.wte' was replaced by no values for its 1 outputs"):
        rewrite(graph, default().operators, lambda node, place: None)


def test_a_rewrite_that_keeps_all_is_the_graph() -> None:
    """Held values, blocks and remembered applications included."""
    graph = graphacct.build("gpt2", seq_len=16, set=TINY, phase="train")
    kept = rewrite(graph, default().operators, lambda node, place: place.keep())
    assert kept == graph
    assert all(ours is theirs for ours, theirs in zip(kept.walk(), graph.walk(), strict=True))


def test_a_transform_given_as_a_pair() -> None:
    """As a program says it: with values of the options' types."""

    def named(graph: Graph, operators: Any, title: str) -> Graph:
        return attrs.evolve(graph, name=title)

    table = {"named": Transform("named", "", named, (Option("title", str, "x", ""),))}
    graph = graphacct.build("gpt2", seq_len=16, set=TINY)
    assert transformed(graph, [("named", {"title": "mine"}), ["named", {}]], table, {}).name == "x"
