"""Writes the distribution of a new plugin: one thing of a kind, its contract as tests, and what installs it."""

from __future__ import annotations

import keyword
import os
import re
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from string import Template

from graphacct.errors import PluginError, WriteError, brief
from graphacct.files import write
from graphacct.hooks.manager import default

KINDS = (
    "operator",
    "architecture",
    "reader",
    "quantity",
    "convention",
    "transform",
    "profile",
    "analysis",
    "optimizer",
    "recompute_policy",
    "weight_format",
    "device",
    "output",
    "command",
)
"""What a new plugin can register: each has a template, `KIND.py.txt`, and one for its tests."""
KINDS_OF = {"quantity": "quantities", "analysis": "analyses", "recompute_policy": "recompute_policies"}
"""What several of a kind are called, where that is more than an s."""
COMMANDS = """
[project.entry-points."graphacct.commands"]
$thing = "$package:command"
"""
TEMPLATES = Path(__file__).parent / "templates"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_][A-Za-z0-9]+)*")


def new(path: str | os.PathLike[str], kind: str) -> list[Path]:
    """Writes the distribution into a folder, whose name is the distribution's, and returns its files.

    Raises PluginError for a name that is none or that is taken, or for a folder with something in it.
    """
    folder = Path(path)
    words = names(folder.name)
    _check_free(words, kind)
    commands = Template(COMMANDS).substitute(words) if kind == "command" else ""  # help lists it without an import
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PluginError(f"{os.fspath(path)!r} exists already: name another folder, or an empty one")
    package = folder / words["package"]
    files = {
        folder / "pyproject.toml": "pyproject.toml",
        folder / "README.md": "README.md",
        package / "__init__.py": f"{kind}.py",
        folder / "tests" / f"test_{words['package']}.py": f"{kind}_test.py",
    }
    for file, template in files.items():
        text = (TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WriteError(f"{file.parent}: cannot be made: {error.strerror}") from error
        write(file, Template(text).substitute(words, commands=commands))
    return [*files]


def _check_free(words: Mapping[str, str], kind: str) -> None:
    """Raises PluginError if a module or a registered thing is called so already."""
    package = words["package"]
    if package in sys.stdlib_module_names or find_spec(package) is not None:
        way_out = "" if package.startswith("graphacct_") else f", graphacct-{words['name']} say"
        raise PluginError(
            f"there is a module {package!r} already, which a plugin would hide: give it another name{way_out}"
        )
    kinds = KINDS_OF.get(kind, f"{kind}s")
    thing = words["word" if kind in ("operator", "quantity") else "thing"]
    if thing in getattr(default(), kinds):
        raise PluginError(
            f"{default().origin(kinds, thing)} has a thing {thing!r} among its {kinds}: name the plugin "
            f"graphacct-my-{words['thing']}, say"
        )


def names(distribution: str) -> Mapping[str, str]:
    """Returns what templates are filled with: of `graphacct-squared-relu` the package `graphacct_squared_relu`, the
    thing `squared-relu`, the word `squared_relu`, the class `SquaredRelu` and the title `Squared relu`.

    Raises PluginError for a name that no distribution or no package can have.
    """
    thing = re.sub(r"^graphacct[-_]", "", distribution.lower()).replace("_", "-")
    word = thing.replace("-", "_")
    package = distribution.lower().replace("-", "_")
    if not NAME.fullmatch(distribution) or package == "graphacct" or not word.isidentifier():
        raise PluginError(f"{brief(distribution)} is no name of a plugin: letters, digits and '-', as graphacct-mine")
    if keyword.iskeyword(word) or keyword.iskeyword(package):
        raise PluginError(f"{brief(distribution)} is a word of Python: name the plugin graphacct-my-{thing}, say")
    return {
        "name": distribution.lower().replace("_", "-"),
        "package": package,
        "thing": thing,
        "word": word,
        "class": "".join(part.capitalize() for part in thing.split("-")),
        "title": thing.replace("-", " ").capitalize(),
    }
