"""What a plain report must not load: the graph's networkx view, pictures and tables cost several times the report."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

HEAVY = (
    "cattrs",
    "graphviz",
    "importlib.metadata",
    "matplotlib",
    "networkx",
    "numpy",
    "rich",
    "sympy",
    "torch",
)
CODE = """
import sys
sys.argv = ["graphacct", *{arguments!r}]
from graphacct.cli import main
try:
    main()
finally:
    print(*[name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""


def loaded(process: Callable[..., subprocess.CompletedProcess[str]], *arguments: str) -> list[str]:
    """The heavy modules that a command loaded."""
    done = process(CODE.format(arguments=arguments, heavy=HEAVY))
    assert done.returncode == 0, done.stderr
    assert done.stdout
    return done.stderr.split()


@pytest.mark.parametrize("form", ["json", "csv", "markdown"])
def test_a_report_loads_nothing_heavy(process: Callable[..., subprocess.CompletedProcess[str]], form: str) -> None:
    """A report in text loads no graph library, no table library and no framework."""
    assert loaded(process, "report", "gpt2-xl", "--format", form) == []


def test_a_table_loads_nothing_heavy(process: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Nor does a table, unless it is in colour."""
    assert loaded(process, "report", "gpt2") == []


def test_a_picture_loads_nothing_heavy(process: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Its source is written line by line, and its tooltips have formulas. And the list of what is heavy is not empty by
    a misspelling."""
    picture = ["draw", "gpt2", "-o", "picture.svg"]
    done = process(CODE.format(arguments=picture, heavy=(*HEAVY, "graphacct.render.picture.lines")))
    assert done.stderr.splitlines() == ["gpt2: picture.svg", "graphacct.render.picture.lines"]


@pytest.mark.parametrize("kind", ["architectures", "operators"])
def test_the_catalogue_imports_no_family(process: Callable[..., subprocess.CompletedProcess[str]], kind: str) -> None:
    """A table of what there is reads the listings of packages."""
    modules = ("graphacct_architectures.decoders.gpt2", "graphacct_vision.vits", "graphacct_operators.matmul")
    done = process(CODE.format(arguments=["list", kind], heavy=(*HEAVY, *modules)))
    assert done.stderr.split() == []
    assert f"{kind}: " in done.stdout


@pytest.mark.parametrize("more", [[], ["--phase", "train"]], ids=["forward", "train"])
def test_an_explanation_loads_nothing_heavy(
    process: Callable[..., subprocess.CompletedProcess[str]], more: list[str]
) -> None:
    """Its formulas are those of the recorder: sympy takes several times a report to import."""
    assert loaded(process, "explain", "gpt2", "lm_head", *more) == []


def test_help_loads_nothing_heavy(process: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Asking for help, which loads every command's file, loads none of what the commands need."""
    assert loaded(process, "--help") == []
