"""How a page of the documentation is run, block by block, in an empty folder.

- ```python: executed in one namespace for the page, or as a doctest when it starts with `>>>`. A block whose first line
  is a comment with a file's name (`# my_ops.py`) is written to that file instead.
- ```console: each `$ command` is run as by a shell, and what it prints must be what stands below it; `...` stands for
  anything. The command must succeed, unless what it prints is an error of graphacct. The first `graphacct report` of
  all pages is a process of its own, so is the first of every other verb, and those that make or check a plugin; the
  others run in this process, which takes a third of the time.
- ```toml with a file's name: written to that file. ```json must parse; below a line that ends in "`model.json`:" it is
  written to that file. ```text is not run.
- ```sh: the commands that set a clone up; they are only checked to name targets of the Makefile.
"""

from __future__ import annotations

import doctest
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest
from sybil import Document, Example
from sybil.evaluators.doctest import DocTestEvaluator
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.parsers.markdown import CodeBlockParser
from sybil.region import Region

from graphacct.cli import cli

ROOT = Path(__file__).resolve().parents[2]
WIDTH = "100"
"""Columns of the terminal that the pages' tables are drawn for."""

TORCH = ("pytorch.md", "aten-operators.md")
"""Pages that need torch: the tests of graphacct-torch run them."""

FLAGS = doctest.ELLIPSIS
_FILE = re.compile(r"# ([\w./-]+\.(?:py|toml))\n")
_NAMED = re.compile(r"`([\w-]+\.json)`:\s*\Z")
_COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)
_ERROR = re.compile(r"^graphacct: ", re.MULTILINE)
_ALONE = re.compile(r"""graphacct ((?:[^|<>&;$`~*?'"]|'[^']*'|"[^"$`]*")+)(?:\| *(.*))?\Z""", re.DOTALL)
"""A graphacct, and what it is piped into; nothing but quotes is left for a shell to replace in its arguments."""
_VERB = re.compile(r"graphacct (?:-\S+ )*(\S+)")
_STARTED: set[str] = set()
"""The verbs of graphacct that have run as a process of their own."""
_PYTHON = PythonEvaluator()


def pages() -> list[Path]:
    """The README and every page of docs/, but for the reference, which the site's build writes."""
    docs = ROOT / "docs"
    written = (docs / "reference", docs / "_build")
    return [
        ROOT / "README.md",
        *(page for page in sorted(docs.rglob("*.md")) if not any(page.is_relative_to(folder) for folder in written)),
    ]


def parse(path: Path) -> Document:
    """A page whose blocks are ready to be evaluated in order; a block in a language not listed above fails."""
    document = Document.parse(
        str(path), _python, *(CodeBlockParser(name, run) for name, run in BLOCKS.items()), _others
    )
    document.namespace["__name__"] = "__page__"
    return document


def run_page(path: Path) -> int:
    """Run a page in the current folder; the number of blocks that ran."""
    examples = list(parse(path).examples())
    for example in examples:
        example.evaluate()
    return len(examples)


def _python(document: Document) -> Iterator[Region]:
    doctests = DocTestStringParser(DocTestEvaluator(FLAGS))
    for region in CodeBlockParser("python", _script)(document):
        if not region.parsed.startswith(">>>"):
            yield region
            continue
        for inner in doctests(region.parsed, document.path):
            inner.adjust(region, region.parsed)
            yield inner


def _script(example: Example) -> str | None:
    return write(example) if _FILE.match(example.parsed) else _PYTHON(example)


def write(example: Example) -> str | None:
    """Write a block to the file that its first line names."""
    match = _FILE.match(example.parsed)
    if match is None:
        return "the block's first line does not name a file"
    path = Path(match[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(example.parsed, encoding="utf-8")
    return None


def console(example: Example) -> str | None:
    """Run the block's commands and compare what they print."""
    checker = doctest.OutputChecker()
    for command, want in commands(example.parsed):
        verb = _VERB.match(command)
        status, got = shell(command, here=verb is not None and verb[1] in _STARTED and verb[1] != "plugins")
        _STARTED.update([verb[1]] if verb else ())
        if bool(status) != bool(_ERROR.search(want)):
            return f"$ {command}\nended with status {status}:\n{got}"
        if not checker.check_output(want, got, FLAGS):
            return f"$ {command}\n--- the page says\n{want}--- it printed\n{got}"
    return None


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block, and what the block says it prints."""
    parts = _COMMAND.split(str(block))[1:]
    for command, output in zip(parts[::2], parts[1::2], strict=True):
        yield command, trimmed(output)


def shell(command: str, here: bool = False) -> tuple[int, str]:
    """The exit status of a command, and what it printed, errors included.

    If `here`, a graphacct without redirections runs in this process; what it is piped into, in the shell.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GRAPHACCT_", "COV_"))}
    environment |= {"COLUMNS": WIDTH, "NO_COLOR": "1", "PYTHONUTF8": "1"}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # a page's pytest needs none, and imports a dozen otherwise
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    said, printed = "", None
    alone = _ALONE.match(command) if here else None
    if alone:
        with patch.dict(os.environ, environment, clear=True):
            status, printed, said = _run(shlex.split(alone[1].replace("\\\n", " ")))
        if not alone[2]:
            return status, trimmed(said + printed)
        command = alone[2]
    done = subprocess.run(
        command,
        shell=True,
        env=environment,
        input=printed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, trimmed(said + done.stdout)


def _run(arguments: list[str]) -> tuple[int, str, str]:
    """The exit status of a graphacct in this process, what it printed, and its errors."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        cli(arguments)
    printed, said = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    return ended.value.code or 0, printed, said  # type: ignore[return-value]


def trimmed(text: str) -> str:
    """Text without blank lines around it and blanks at its lines' ends."""
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"


def setup(example: Example) -> str | None:
    """A block that sets a clone up: its `make` targets must exist; what installs or fetches is not run."""
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for line in example.parsed.splitlines():
        word, _, rest = line.partition("#")[0].strip().partition(" ")
        if word == "make" and rest not in targets:
            return f"the Makefile has no target {rest!r}"
        if word and word not in ("make", "git", "cd", "pip", "pipx", "uvx", "eval"):
            return f"{line!r} would not be checked: use a console block"
    return None


def parses(example: Example) -> str | None:
    """JSON must parse, and is written to the file that the line above it names."""
    try:
        json.loads(example.parsed)
    except ValueError as error:
        return str(error)
    above = _NAMED.search(example.document.text[: example.region.start])
    if above:
        Path(above[1]).write_text(example.parsed, encoding="utf-8")
    return None


def leave(example: Example) -> None:
    """Plain text is not run."""


def _others(document: Document) -> Iterator[Region]:
    """Blocks in languages that nothing above runs fail, so that none is passed over in silence."""
    for match in re.finditer(r"^```(\S+)[^\n]*\n.*?^```$", document.text, re.MULTILINE | re.DOTALL):
        if match[1] not in ("python", *BLOCKS):
            yield Region(match.start(), match.end(), match[1], lambda e: f"nothing runs blocks in {e.parsed!r}")


BLOCKS = {"console": console, "toml": write, "json": parses, "sh": setup, "text": leave}
