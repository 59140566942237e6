"""Models that are read when their options are known, and readers that leave a model to others."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import graphacct
from graphacct.cli import cli
from graphacct.errors import ConfigError, PluginError, ReadError
from graphacct.hooks.manager import Plugins, load

READER = """
import graphacct

CALLS = []


class Module:
    pass


def module():
    return Module()


def read(model, operators, inputs=None, dtype="float32", phase="forward", dynamic=None):
    CALLS.append((inputs, dtype, phase, dynamic))
    b = graphacct.Builder("module", operators)
    x = b.input("x", (int((inputs or {"x": "2"})["x"]), 8), dtype)
    return b.graph(b.apply("linear", x, b.parameter("weight", (4, 8), dtype), name="linear"))


@graphacct.hookimpl
def graphacct_register_readers():
    takes = ("inputs", "dtype", "phase", "dynamic")
    known = lambda model: type(model).__name__ == "Module"
    return [graphacct.Reader("modules", "", known, read, takes=takes, instead="give other inputs=")]
"""
LIBRARY = """
import graphacct


def named(model):
    if json_type(model) != "their_family":
        raise graphacct.DeclinedError("the library has none of that model_type either")
    return "theirs"


def json_type(path):
    import json

    with open(path) as file:
        return json.load(file)["model_type"]


def read(model, operators, batch=1):
    b = graphacct.Builder("theirs", operators)
    x = b.input("x", (batch, 8))
    return b.graph(b.apply("linear", x, b.parameter("weight", (4, 8)), name="linear"))


@graphacct.hookimpl
def graphacct_register_readers():
    accepts = lambda model: isinstance(model, str) and model.endswith("config.json")
    return [graphacct.Reader("library", "", accepts, read, takes=("batch",), named=named)]
"""


@pytest.fixture
def modules(tmp_path: Path) -> tuple[Plugins, Any]:
    """The plugins with a reader of modules, and a module for it with the list of calls."""
    file = tmp_path / "modules.py"
    file.write_text(READER)
    plugins = load(files=[str(file)])
    space = plugins.readers["modules"].read.__globals__
    return plugins, space


def test_options_reach_the_reader(modules: tuple[Plugins, Any]) -> None:
    """Those that are given, and no other; without them the defaults are the reader's own."""
    plugins, space = modules
    module = space["Module"]()
    assert graphacct.account(module, plugins=plugins).total["flops"] == 2 * 2 * 8 * 4
    report = graphacct.account(module, plugins=plugins, inputs={"x": "3"}, dtype="bf16", dynamic={"n": 0})
    assert (report.total["flops"], report.total["param_bytes"]) == (2 * 3 * 8 * 4, 2 * 32)
    assert space["CALLS"] == [(None, "float32", "forward", None), ({"x": "3"}, "bfloat16", "forward", {"n": 0})]
    step = graphacct.account(module, plugins=plugins, phase="train")
    assert step.total["forward_flops"] == 2 * 2 * 8 * 4
    assert space["CALLS"][2] == (None, "float32", "train", None)


def test_it_is_read_once_for_all_ways_out(modules: tuple[Plugins, Any]) -> None:
    """Reading may take seconds; the ways out of a device that is too small differ in options that it does not take."""
    plugins, space = modules
    found = graphacct.memory(space["Module"](), plugins=plugins, on=graphacct.Device("tiny", 100, "here"))
    assert not found.devices[0].fits
    assert found.devices[0].largest_batch is None
    assert len(space["CALLS"]) == 1


def test_other_options_are_refused(modules: tuple[Plugins, Any]) -> None:
    """The message says what it takes, and what to give instead."""
    plugins, space = modules
    expected = "'Module' takes no batch, seq_len, but inputs, dtype, phase, dynamic; give other inputs="
    with pytest.raises(ConfigError, match=expected):
        graphacct.build(space["Module"](), plugins=plugins, batch=2, seq_len=3)
    with pytest.raises(ConfigError, match="'Module' has no phase 'generate': it runs once, on the inputs"):
        graphacct.account(space["Module"](), plugins=plugins, phase="generate", prompt_len=1, new_tokens=1)
    expected = "'Module' has no phase 'decode': it runs once, on the inputs that it is given: forward or train"
    with pytest.raises(ConfigError, match=expected):
        graphacct.build(space["Module"](), plugins=plugins, phase="decode")


def test_a_model_with_a_configuration_takes_no_inputs() -> None:
    """Its sizes are options."""
    expected = r"'gpt2' is built from its configuration and takes no inputs, not \{'x': '3'\}: batch= and seq_len= give"
    with pytest.raises(ConfigError, match=expected):
        graphacct.build("gpt2", inputs={"x": "3"})
    with pytest.raises(ConfigError, match=r"'gpt2' is built from its configuration and takes no dynamic"):
        graphacct.build("gpt2", dynamic={"batch": 0})


def test_the_command_line(modules: tuple[Plugins, Any], tmp_path: Path) -> None:
    """--input and --dynamic, once for each name."""
    file = tmp_path / "modules.py"
    call = ["report", f"{file}:module", "--plugin", str(file), "--format", "json"]
    result = CliRunner().invoke(cli, [*call, "--input", "x=5"])
    assert json.loads(result.stdout)["total"]["flops"] == 2 * 5 * 8 * 4
    result = CliRunner().invoke(cli, [*call, "--input", "x=5", "--input", "x=6"])
    assert "--input x is given twice" in result.stderr
    result = CliRunner().invoke(cli, [*call, "--input", "5x8"])
    assert "'5x8' is not of the form NAME=SHAPE:DTYPE, as input_ids=2x16:int64" in " ".join(result.stderr.split())
    result = CliRunner().invoke(cli, [*call, "--dynamic", "batch="])
    assert "'batch=' is not of the form SYMBOL=DIM, as batch=0" in " ".join(result.stderr.split())


def test_a_family_that_another_reader_knows(tmp_path: Path) -> None:
    """A config.json that no family reads goes to the readers after it; what they say against it stands behind ours."""
    (tmp_path / "library.py").write_text(LIBRARY)
    plugins = load(files=[str(tmp_path / "library.py")])
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"model_type": "their_family"}))
    assert graphacct.account(str(config), batch=3, plugins=plugins).total["flops"] == 2 * 3 * 8 * 4
    config.write_text(json.dumps({"model_type": "nobodys"}))
    with pytest.raises(ReadError, match=r"no architecture reads model_type 'nobodys'(.|\n)*; the library has none of"):
        graphacct.account(str(config), plugins=plugins)
    installed = {"graphacct-torch", "torch"} & {entry.name for entry in entry_points(group="graphacct")}
    with pytest.raises(ReadError, match="the transformers library may have its class: pip install graphacct-torch"):
        graphacct.account(str(config), plugins=load(block=installed))


def test_a_reader_that_takes_what_no_verb_has() -> None:
    """It is refused where it is made."""
    with pytest.raises(
        ConfigError, match=r"reader 'odd': takes= names keywords of build that read= takes, not \('colour"
    ):
        graphacct.Reader("odd", "", bool, lambda *_: None, takes=("colour",))  # type: ignore[arg-type, return-value]


def test_a_reader_that_returns_nonsense(tmp_path: Path) -> None:
    """It is named."""
    file = tmp_path / "nonsense.py"
    file.write_text(READER.replace("return b.graph(", "return str("))
    plugins = load(files=[str(file)])
    module = plugins.readers["modules"].read.__globals__["Module"]()
    with pytest.raises(PluginError, match=r"reader 'modules' of plugin nonsense .* which is no Graph"):
        graphacct.build(module, plugins=plugins)
