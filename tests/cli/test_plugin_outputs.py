"""Outputs: formats of `report` and `draw`, the core's and a stranger's, by name and by a file's ending."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct import Output
from graphacct.display import by_ending, rendered
from graphacct.errors import PluginError
from graphacct.hooks.manager import load
from graphacct.render.catalogue import catalogue

PLUGIN = '''
import graphacct
from graphacct import Output


def yaml(report, by):
    """A row a line, as YAML has it."""
    return "".join(f"- path: {{row['path']}}\\n  flops: {{row['flops']}}\\n" for row in report.records(by))


def picture(report, color_by):
    return f"{{report.model}} by {{color_by}}".encode()


@graphacct.hookimpl
def graphacct_register_outputs():
    return [
        Output("yaml", "A list of rows.", "report", (".yaml", ".yml"), yaml, ("by",)),
        Output("raw", "Bytes.", "report", (".raw",), lambda report: b"\\x00\\xff"),
        Output("words", "A picture in words.", "draw", (".words",), picture, ("color_by",)),
        {extra}
    ]
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Any:
    def made(extra: str = "") -> str:
        file = tmp_path / "formats.py"
        file.write_text(PLUGIN.format(extra=extra))
        return str(file)

    return made


def test_a_report_in_a_stranger_s_format(run: Any, plugin: Any, tmp_path: Path) -> None:
    """By name, by either ending, and with the options that it takes."""
    asked = ["report", "gpt2", "--plugin", plugin()]
    result = run(*asked, "--format", "yaml")
    assert result.stdout.startswith("- path: transformer\n  flops: ")
    for name in ("out.yaml", "out.YML"):
        run(*asked, "-o", str(tmp_path / name))
        assert (tmp_path / name).read_text() == result.stdout
    assert "path" in run(*asked, "--format", "yaml", "--by", "scope").stdout


def test_bytes_are_written_as_they_are(run: Any, plugin: Any, tmp_path: Path) -> None:
    """To a file and to standard output, without a new line."""
    asked = ["report", "gpt2", "--plugin", plugin()]
    run(*asked, "-o", str(tmp_path / "out.raw"))
    assert (tmp_path / "out.raw").read_bytes() == b"\x00\xff"
    assert run(*asked, "--format", "raw").stdout_bytes == b"\x00\xff"


def test_a_drawing_in_a_stranger_s_format(run: Any, plugin: Any, tmp_path: Path) -> None:
    """The file's ending asks for it."""
    result = run("draw", "gpt2", "--plugin", plugin(), "-o", str(tmp_path / "a.words"), "--color-by", "params")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "a.words").read_text() == "gpt2 by params"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["report", "gpt2", "--format", "yml"], 2, "--format 'yml' is no choice; did you mean 'yaml'?"),
        (["report", "gpt2", "--format", "svg"], 2, "--format 'svg' is no choice"),
        (["report", "gpt2", "-o", "a.yamll"], 2, "no format ends in '.yamll' (of 'a.yamll'); did you mean '.yaml'?"),
        (
            ["draw", "gpt2", "-o", "a.yaml"],
            1,
            "'.yaml' is not known; known: .svg, .html, .htm, .png, .pdf, .dot, .gv, .json, .words",
        ),
        (["draw", "gpt2", "-o", "a"], 1, "the suffix says the format, and there is none; known: .svg"),
    ],
)
def test_unknown_formats(run: Any, plugin: Any, arguments: list[str], status: int, message: str) -> None:
    """The closest is suggested, plugins' among them."""
    result = run(*arguments, "--plugin", plugin())
    assert (result.exit_code, message in result.stderr) == (status, True), result.stderr


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("lambda report: 1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("lambda report: 5", "returned 5, which is neither text nor bytes"),
        ("'no_such_module:x'", "failed: ModuleNotFoundError: No module named 'no_such_module'"),
        ("lambda: ''", "failed: TypeError"),
    ],
)
def test_an_output_that_fails_is_named(run: Any, plugin: Any, tmp_path: Path, function: str, message: str) -> None:
    """With its plugin, and no file is left."""
    file = plugin(f'Output("bad", "", "report", (".bad",), {function}),')
    result = run("report", "gpt2", "--plugin", file, "-o", str(tmp_path / "out.bad"))
    assert result.exit_code == 1
    assert f"output 'bad' of plugin formats ({file}) {message}" in result.stderr
    assert not (tmp_path / "out.bad").exists()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (
            'Output("csv", "", "report", (".x",), str)',
            r"output 'csv' is registered twice, by graphacct\.builtin .* and by",
        ),
        ('Output("x", "", "report", ("x",), str)', "output 'x': an ending is small letters after a dot, not 'x'"),
        ('Output("x", "", "memory", (".x",), str)', "output 'x' is of the command 'memory': report or draw"),
    ],
)
def test_what_is_registered_is_checked(plugin: Any, extra: str, message: str) -> None:
    """A name that is taken, an ending without its dot, a command that has no outputs."""
    plugins = load(files=[plugin(extra)])
    with pytest.raises(PluginError, match=message):
        _ = plugins.outputs


def test_an_ending_that_is_taken(plugin: Any) -> None:
    """Both outputs are named, with their plugins."""
    plugins = load(files=[plugin('Output("other", "", "report", (".json",), str)')])
    message = r"files that end in \.json are of two outputs: 'json' of graphacct\.builtin \(graphacct\) and 'other' of"
    with pytest.raises(PluginError, match=message):
        by_ending("report", plugins.outputs)


def test_one_of_ours_can_be_replaced(run: Any, plugin: Any) -> None:
    """Also the default: what is replaced is not drawn."""
    file = plugin('Output("table", "", "report", (".txt",), lambda report: report.model, replaces=True),')
    assert run("report", "gpt2", "--plugin", file).stdout == "gpt2\n"


def test_the_core_s_own() -> None:
    """They are registered through the hook, by name, and give what the command prints."""
    rows = {row["name"]: row for row in catalogue("outputs")}
    assert list(rows) == [
        *("table", "json", "csv", "markdown", "html", "tex", "model-explorer"),
        *("svg", "page", "png", "pdf", "dot", "model-explorer-graph"),
    ]
    assert rows["markdown"]["endings"] == [".md", ".markdown"]
    report = graphacct.account("gpt2")
    plugins = load()
    assert rendered(plugins.outputs["json"], report, {"by": "scope"}).startswith('{\n  "schema": "graphacct.report/1"')  # type: ignore[arg-type]
    assert isinstance(plugins.outputs["csv"], Output)
