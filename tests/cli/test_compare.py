"""graphacct compare, as a user types it."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import graphacct


def test_sizes_of_one_model_in_every_format(run: Any) -> None:
    """The same figures as in Python; a row of the CSV says its size."""
    asked = ("compare", "gpt2", "--over", "seq_len=256,1k", "--by", "role")
    found = json.loads(run(*asked, "--format", "json").stdout)
    assert found == graphacct.compare("gpt2", over="seq_len=256,1024", by="role").to_dict()
    assert (found["schema"], found["over"]["values"]) == ("graphacct.compare/1", [256, 1024])
    rows = list(csv.DictReader(StringIO(run(*asked, "--format", "csv").stdout)))
    assert [(row["seq_len"], row["role"]) for row in rows[:2]] == [("256", "embedding"), ("1024", "embedding")]
    assert sum(float(row["share"]) for row in rows if row["seq_len"] == "256") == pytest.approx(1)
    assert run(*asked, "--format", "markdown").stdout.startswith("**gpt2: FLOPs**")


def test_one_model_alone_says_what_to_compare_it_with(run: Any) -> None:
    text = run("compare", "gpt2", "--depth", "1").stdout
    assert "one model alone: name others beside it, or several sizes of it (--over seq_len=1k,4k,16k)" in text
    assert "one model alone" not in run("compare", "gpt2", "--depth", "1", "--over", "seq_len=8").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("gpt2", "gpt2-xl", "--over", "seq_len=1k"), 1, "--over is of one model, and 2 are given"),
        (("gpt2", "--over", "seq_len"), 2, "'seq_len' is not of the form SIZE=VALUES, as seq_len=1k,4k,16k"),
        (
            ("gpt2", "--over", "seq_len=1k", "--over", "batch=2"),
            2,
            "--over seq_len and --over batch: one size at a time",
        ),
        (("gpt2", "--over", "seq_len=4k:1k"), 1, "has no sizes"),
        (("gpt2", "--over", "seq_len=1k", "--seq-len", "8"), 1, "leave --seq-len 8 out"),
        (("gpt2", "--by", "rol"), 2, "did you mean 'role'?"),
    ],
)
def test_mistakes_are_said(run: Any, arguments: tuple[str, ...], status: int, message: str) -> None:
    result = run("compare", *arguments)
    assert (result.exit_code, result.stdout) == (status, "")
    assert message in result.stderr


def test_the_command_plots_beside_its_table(run: Any, tmp_path: Path) -> None:
    """Rows are roles then; a wrong ending is said before a model is built; `--against` needs a file."""
    pytest.importorskip("matplotlib")
    path = tmp_path / "a.pdf"
    for more in ((), ("--against", "params")):
        result = run("compare", "gpt2", "gpt2-xl", "--plot", str(path), *more)
        assert (result.exit_code, "attention" in result.stdout) == (0, True)
        assert path.read_bytes().startswith(b"%PDF")
        path.unlink()
    steps = ("--over", "batch=1,2", "--phase", "train", "--seq-len", "8", "--against", "saved_bytes")
    assert run("compare", "gpt2", *steps, "--plot", str(path)).exit_code == 0
    result = run("compare", "no-such-model", "--plot", "a.jpg")
    assert (result.exit_code, "a plot is a .png, .svg or .pdf, not 'a.jpg'" in result.stderr) == (1, True)
    result = run("compare", "gpt2", "--plot", "a.png")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "or sizes of it, --over seq_len=1k,4k,16k" in result.stderr
    result = run("compare", "gpt2", "gpt2-xl", "--against", "params")
    assert (result.exit_code, "add --plot FILE" in result.stderr) == (2, True)
