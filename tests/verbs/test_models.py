"""What the verbs take as a model: each kind of the same model gives the same answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct import ConfigError
from graphacct.hooks.manager import default

KEYS = {"model_type": "gpt2", "n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": 100, "n_positions": 32}
PARAMS = 100 * 64 + 32 * 64 + 2 * (12 * 64**2 + 13 * 64) + 2 * 64
"""Tied embeddings, positions, two blocks (4 + 8 matrices of 64 × 64, 9 biases of 64, 2 norms of 128), a norm."""


class Gpt2Config:
    """As a configuration of the transformers library: keys that it writes to a file."""

    model_type = "gpt2"

    def to_dict(self) -> dict[str, Any]:
        return {**KEYS, "transformers_version": "5.23.0", "dtype": None}


@pytest.fixture(params=["dict", "object", "path", "folder", "graph", "networkx", "report"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The same model in each form."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(KEYS), encoding="utf-8")
    forms: dict[str, Callable[[], Any]] = {
        "dict": lambda: KEYS,
        "object": Gpt2Config,
        "path": lambda: file,
        "folder": lambda: str(tmp_path),
        "graph": lambda: graphacct.build(KEYS),
        "networkx": lambda: graphacct.build(KEYS).nx,
        "report": lambda: graphacct.account(KEYS),
    }
    return forms[request.param]()


def test_every_verb_takes_it(model: Any) -> None:
    """A report, the memory, an explanation, the tensors, a comparison and a picture of each form."""
    assert graphacct.account(model).total["params"] == PARAMS
    assert sum(row.owned * math.prod(row.parameter.spec.shape) for row in graphacct.params(model)) == PARAMS
    assert graphacct.explain(model, "lm_head", "matmul_flops").lines[0].value == 2 * 32 * 64 * 100
    assert [report.total["params"] for report in graphacct.compare(model).reports] == [PARAMS]
    assert "lm_head" in graphacct.draw(model, depth=1).source
    memory = graphacct.memory(model)
    assert memory.parameters == 4 * PARAMS
    assert graphacct.fits(model, memory.total)
    assert not graphacct.fits(model, memory.total - 1)


@pytest.mark.parametrize("phase", ["train", "forward", "prefill"])
def test_the_memory_of_a_report_is_that_of_its_model(phase: str) -> None:
    """It needs no other options: the report knows its phase, its optimizer and what is frozen. The cache that one more
    token would take in another phase is not known."""
    options: dict[str, Any] = {"phase": phase, "batch": 2}
    if phase == "train":
        options |= {"optimizer": "sgd", "freeze": ["*.bias"], "recompute": "full"}
    ours, theirs = graphacct.account(KEYS, **options).memory(), graphacct.memory(KEYS, **options)
    assert ours.total == theirs.total > 0
    assert ours.timeline == theirs.timeline
    assert (ours.phase, ours.optimizer, ours.gradients) == (theirs.phase, theirs.optimizer, theirs.gradients)


def test_a_report_says_whether_it_fits_on_a_device() -> None:
    """Other sizes are not tried: the graph is built."""
    device = graphacct.account(KEYS, phase="train").memory(on="h100").devices[0]
    assert device.fits
    assert (device.largest_batch, device.longest_seq_len, device.ways_out) == (None, None, ())


def test_the_methods_of_a_report_are_the_verbs(tmp_path: Path) -> None:
    """`report.draw`, `.explain`, `.memory` and `.to_frame`."""
    report = graphacct.account(KEYS)
    assert str(report.explain("lm_head", "flops")) == str(graphacct.explain(report, "lm_head", "flops"))
    report.draw(tmp_path / "small.dot", depth=1)
    assert (tmp_path / "small.dot").read_text(encoding="utf-8").startswith("digraph")
    assert [*report.to_frame()["path"]] == [row["path"] for row in report.records()]
    assert report.to_frame("operator")["params"].sum() == PARAMS


@pytest.mark.parametrize(
    ("verb", "arguments", "options"),
    [
        ("account", (), {"seq_len": 8}),
        ("account", (), {"convention": "matmul"}),
        ("memory", (), {"batch": 2}),
        ("memory", (), {"unknown": "report"}),
        ("explain", ("lm_head",), {"seq_len": 8}),
        ("draw", (), {"seq_len": 8}),
        ("params", (), {"set": {"n_layer": 1}}),
        ("fits", ("1GB",), {"batch": 2}),
    ],
)
def test_options_beside_a_report_are_an_error(verb: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    """The report was made without them; the message names them."""
    with pytest.raises(ConfigError, match=f"^{next(iter(options))}: 'gpt2' is a report already"):
        getattr(graphacct, verb)(graphacct.account(KEYS), *arguments, **options)


def test_a_generation_has_no_one_memory() -> None:
    """Its report is the sum of many steps."""
    report = graphacct.account(KEYS, phase="generate", prompt_len=4, new_tokens=2)
    with pytest.raises(ConfigError, match="memory of a generation: it is many steps"):
        report.memory()


def test_models_are_listed_by_words() -> None:
    """As `graphacct list` does; nothing found is an error."""
    assert graphacct.list_models("GPT2", "xl") == ["gpt2-xl"]
    assert {"gpt2", "llama-3-8b"} <= {*graphacct.list_models()}
    assert graphacct.list_models("gpt-2", "XL") == ["gpt2-xl"]
    assert graphacct.list_models("u-net") == graphacct.list_models("unet")
    with pytest.raises(graphacct.GraphacctError, match="nosuch"):
        graphacct.list_models("nosuch")


def test_a_notebook_shows_tables() -> None:
    """A Memory is its table, an Explanation its lines, with nothing that HTML would read."""
    report = graphacct.account(KEYS)
    assert "<table" in graphacct.memory(report)._repr_html_()
    assert "&gt;" in report.explain("lm_head")._repr_html_()


def test_plugins_of_files(tmp_path: Path) -> None:
    """A plugin's operators are known to the verb that gets them, and a list of files is answered with the way."""
    file = tmp_path / "my_ops.py"
    file.write_text(
        "import graphacct\n"
        '@graphacct.operator("x: ... -> ...")\n'
        "def halved(batch):\n"
        '    """x / 2: 1 per element."""\n'
        "    return graphacct.Work(vector_flops=batch)\n"
        "@graphacct.hookimpl\n"
        "def graphacct_register_operators():\n"
        "    return [halved]\n"
    )
    plugins = graphacct.load_plugins(file)
    builder = graphacct.Builder("net", plugins.operators)
    net = builder.graph(builder.apply("halved", builder.input("x", (2, 8)), name="half"))
    assert graphacct.account(net, plugins=plugins).total["flops"] == 2 * 8
    with pytest.raises(TypeError, match=r'what graphacct.load_plugins\("my_ops.py"\) returns, not a list'):
        graphacct.account(net, plugins=[file])  # type: ignore[arg-type]


def test_a_message_leads_to_the_verb_or_name_that_has_the_answer() -> None:
    """A device, a role, the memory and a misspelt total each have a place of their own."""
    small = graphacct.account("gpt2", seq_len=8, quantities=["params", "flops"])
    with pytest.raises(graphacct.ConfigError, match="ask memory with on='rtx-4090'"):
        graphacct.fits("gpt2", "rtx-4090", seq_len=8)
    with pytest.raises(graphacct.GraphacctError, match="unknown quantity 'memory_bytes': `graphacct memory` has"):
        graphacct.account("gpt2", seq_len=8, quantities=["memory_bytes"])
    with pytest.raises(graphacct.GraphacctError, match=r"'attention' is a role .* gpt2; did you mean 'attn'\?"):
        graphacct.formula("gpt2", "attention", seq_len=8)
    with pytest.raises(KeyError, match=r"unknown quantity 'flop'; did you mean 'flops'\?"):
        small.total["flop"]
    assert small.total.get("flop") is None


def test_a_networkx_graph_is_taken_where_a_graph_is(tmp_path: Path) -> None:
    """By save, and as an object of a module; from_nx has the operators of plugins."""
    graph = graphacct.build("gpt2", seq_len=8)
    graphacct.save(graph.nx, tmp_path / "g.json")
    assert graphacct.load(tmp_path / "g.json").name == graph.name
    with pytest.raises(graphacct.ConfigError, match="save takes a Graph, not 'gpt2'"):
        graphacct.save("gpt2", tmp_path / "h.json")  # type: ignore[arg-type]
    file = tmp_path / "net_of_object.py"
    file.write_text("import graphacct\ng = graphacct.build('gpt2', seq_len=8).nx\n")
    assert graphacct.account(f"{file}:g", quantities=["params"]).total["params"] == 124439808
    plugins = default()
    assert len(graphacct.Graph.from_nx(graph.nx, plugins=plugins).nodes) == len(graph.nodes)
