"""Writes the distribution of a new plugin: one thing of a kind, its contract as tests, and what installs it."""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from graphacct.errors import PluginError, WriteError, brief
from graphacct.files import write

KINDS = ("operator", "architecture", "reader", "quantity", "convention", "transform")
"""What a new plugin can register: each has a template, `KIND.py.txt`, and one for its tests."""
TEMPLATES = Path(__file__).parent / "templates"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([-_][A-Za-z0-9]+)*")


def new(path: str | os.PathLike[str], kind: str) -> list[Path]:
    """Writes the distribution into a folder, whose name is the distribution's, and returns its files.

    Raises PluginError for a name that is none, or for a folder with something in it.
    """
    folder = Path(path)
    words = names(folder.name)
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
        write(file, Template(text).substitute(words))
    return [*files]


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
