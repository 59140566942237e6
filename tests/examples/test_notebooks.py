"""Every notebook runs cell by cell, and what its last lines show is made for a notebook."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SHOWN = ("_repr_html_", "_repr_svg_", "_repr_latex_", "_repr_markdown_", "_repr_mimebundle_")


def cells(notebook: Path) -> list[tuple[str, str]]:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    return [(cell["cell_type"], "".join(cell["source"])) for cell in content["cells"]]


def run(source: str, names: dict[str, Any]) -> Any:
    """Runs a cell as a kernel does: the value of its last line, if that is an expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if isinstance(last, ast.Expr) else None


def test_there_are_three() -> None:
    """For a report and its page, for memory, and for comparisons, formulas and graphs."""
    assert len(NOTEBOOKS) == 3


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=[notebook.stem for notebook in NOTEBOOKS])
def test_a_notebook_runs(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code asserts something, and each thing of graphacct's that it shows has a form for notebooks."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    shown = []
    for kind, source in cells(notebook):
        if kind != "code":
            continue
        value = run(source, names)
        if type(value).__module__.startswith("graphacct"):
            forms = [getattr(value, form)() for form in SHOWN if hasattr(value, form)]
            assert any(forms), type(value)
            shown.append(value)
    assert shown
    assert any("assert " in source for kind, source in cells(notebook) if kind == "code")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=[notebook.stem for notebook in NOTEBOOKS])
def test_a_notebook_is_saved_without_outputs(notebook: Path) -> None:
    """It begins with a title, and holds nothing that a run wrote."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    assert cells(notebook)[0][1].startswith("# ")
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in content["cells"])
