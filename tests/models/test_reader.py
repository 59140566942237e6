"""Models given as objects: which the readers know, and what is said of the others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import networkx
import pytest

import graphacct
from graphacct import memory
from graphacct.errors import GraphacctError, GraphError, PluginError, ReadError
from graphacct.hooks.manager import load

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "vocab_size": 512,
}
READER = """
import graphacct


class Widths:
    def __init__(self, *sizes):
        self.sizes = sizes


def read(model, operators):
    b = graphacct.Builder("widths", operators)
    x = b.input("x", (1, model.sizes[0]))
    for index, (k, n) in enumerate(zip(model.sizes, model.sizes[1:])):
        x = b.apply("linear", x, b.parameter(f"layers.{index}.weight", (n, k)), name=f"layers.{index}")
    return b.graph(x)


@graphacct.hookimpl
def graphacct_register_readers():
    return [graphacct.Reader("widths", "", lambda model: hasattr(model, "sizes"), read)]
"""
FAULTY = """
import graphacct


@graphacct.hookimpl
def graphacct_register_readers():
    return [graphacct.Reader("faulty", "", lambda path: path.endswith(".x"), lambda path, operators: None)]
"""


def product() -> Any:
    """A product of an input of 8 x 4 with a matrix of 6 x 4, as networkx has it."""
    graph = networkx.DiGraph(name="product")
    graph.add_node("x", shape=(8, 4))
    graph.add_node("fc", operator="linear", params={"weight": (6, 4)})
    graph.add_edge("x", "fc")
    return graph


def test_a_networkx_graph() -> None:
    """2 · 8 · 4 · 6 FLOPs, and its memory, without a detour by Graph.from_nx."""
    report = graphacct.account(product())
    assert (report.model, report.total["flops"], report.total["params"]) == ("product", 2 * 8 * 4 * 6, 24)
    assert graphacct.account(graphacct.build("gpt2").nx).total == graphacct.account("gpt2").total
    assert memory(product(), phase="forward").parameters == 4 * 24
    assert graphacct.build(product()).name == "product"


def test_an_undirected_one_is_refused() -> None:
    """It is known, and the message says what is wrong with it."""
    with pytest.raises(GraphError, match="the networkx graph is undirected: use a DiGraph or MultiDiGraph"):
        graphacct.account(networkx.Graph(product()))


def test_a_configuration_as_a_mapping(tmp_path: Path) -> None:
    """The keys of a config.json make the report of that file, for any workload, under the name that they give."""
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text(json.dumps(CONFIG))
    ours, file = (graphacct.account(model, seq_len=16, phase="train") for model in (CONFIG, tmp_path / "tiny"))
    assert ours.total == file.total
    assert (ours.model, file.model) == ("llama", "tiny")
    assert graphacct.account({**CONFIG, "_name_or_path": "org/small"}, seq_len=16).model == "small"
    assert graphacct.account(CONFIG, seq_len=16, set={"num_hidden_layers": 4}).total["params"] > ours.total["params"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "lama"}, r"^the configuration: no architecture reads model_type 'lama'; did you mean 'llama'"),
        ({"hidden_size": "wide"}, r"^the configuration: hidden_size must be an integer, not 'wide'"),
        ({"model_type": None}, r"^the configuration: model_type is None: a configuration names its family there"),
    ],
)
def test_a_mapping_that_no_model_has(changes: dict[str, Any], message: str) -> None:
    """The key, the value and what was expected, as of a file."""
    with pytest.raises(ReadError, match=message):
        graphacct.account({**CONFIG, **changes})


@pytest.mark.parametrize("model", [5, None, b"gpt2", ["gpt2"], {"hidden_size": 4}, object(), {}, graphacct.account])
def test_an_unknown_object_is_refused(model: Any) -> None:
    """One line that says what it is, what a model can be, and which readers were asked."""
    for verb in (graphacct.build, graphacct.account, memory):
        with pytest.raises(
            ReadError,
            match=r"^no reader knows an object of \w+\.\w+: .*: adapter-config, .*, gguf, graph-json, networkx$",
        ):
            verb(model)


def test_an_object_of_a_stranger(tmp_path: Path) -> None:
    """A plugin's reader says that it knows the object, and reads it."""
    file = tmp_path / "widths.py"
    file.write_text(READER)
    plugins = load(files=[str(file)])
    widths = plugins.loaded[-1].module.Widths(784, 300, 10)
    assert graphacct.account(widths, plugins=plugins).total["params"] == 784 * 300 + 300 * 10


def test_a_reader_that_thinks_of_paths_alone_is_named(tmp_path: Path) -> None:
    """It is an error of its plugin, not of who gave the object."""
    file = tmp_path / "faulty.py"
    file.write_text(FAULTY)
    with pytest.raises(
        PluginError, match=r"^reader 'faulty' of plugin faulty .* on an object of builtins\.int failed: Attr"
    ):
        graphacct.account(5, plugins=load(files=[str(file)]))
    assert issubclass(PluginError, GraphacctError)


def test_no_library_is_imported_to_look() -> None:
    """An object is recognised by what is imported already."""
    code = (
        "import sys, graphacct\n"
        "try: graphacct.account(5)\n"
        "except graphacct.ReadError: print('networkx' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
