"""Entry points, read directly from the installed distributions' `entry_points.txt`.

Importing `importlib.metadata` costs more than a whole report (docs/decisions/entry-points.md). This module reads the
same files by the same rules, and leaves path entries that are not folders (zip files) to importlib.metadata.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from graphacct.errors import PluginError

BLOCK_VARIABLE = "GRAPHACCT_BLOCK"


COMMANDS = "graphacct.commands"
"""The group in which distributions announce commands of the command line, by name."""


class EntryPoint(NamedTuple):
    """One entry point; a NamedTuple, since `graphacct --help` would import attrs for it (20 ms of CPU).

    Attributes:
        name: Its name in the group.
        target: `module` or `module:attribute`.
        distribution: The distribution that declares it, with its version.
    """

    name: str
    target: str
    distribution: str

    def load(self) -> Any:
        """Imports the module and returns the attribute."""
        module, _, attribute = self.target.partition(":")
        result: Any = importlib.import_module(module.strip())
        for part in filter(None, attribute.strip().split(".")):
            result = getattr(result, part)
        return result

    def load_checked(self, subject: str) -> Any:
        """Returns `load()`. Raises PluginError if that fails, which says whose `subject` is and how to leave it out."""
        way_out = f"uninstall it, or leave it out with --block {self.name} (or {BLOCK_VARIABLE}={self.name})"
        if not all(part.strip().isidentifier() for part in self.target.replace(":", ".").split(".")):
            raise PluginError(
                f"{subject} {self.name!r} ({self.distribution}): its entry point is {self.target!r}, which names no "
                f"module; {way_out}"
            )
        try:
            return self.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginError(
                f"{subject} {self.name!r} ({self.distribution}) failed to import: {type(error).__name__}: {error}; "
                f"{way_out}"
            ) from error

    def load_command(self) -> Any:
        """Returns the click command of an entry point in the group `graphacct.commands`, under the announced name.
        Raises PluginError if it cannot be imported or is not a click command."""
        command = self.load_checked("command")
        if not hasattr(command, "callback") or not hasattr(command, "params"):
            raise PluginError(f"command {self.name!r} ({self.distribution}): {self.target} is no click command")
        command.name = self.name
        return command


def entry_points(group: str) -> Iterator[EntryPoint]:
    """Yields the entry points of a group, of the first distribution of each name on `sys.path`."""
    seen: set[str] = set()
    for folder in sys.path:
        if folder.endswith((".zip", ".whl")) and os.path.isfile(folder):
            yield from _from_metadata(folder, group, seen)
            continue
        try:
            names = sorted(os.listdir(folder or "."))
        except OSError:
            continue
        for name in names:
            if not name.endswith((".dist-info", ".egg-info")):
                continue
            project, _, version = name.rpartition(".")[0].partition("-")
            key = _key(project)
            if key in seen:
                continue
            seen.add(key)
            content = _read(os.path.join(folder, name, "entry_points.txt"))
            if group.encode() in content:
                # what is no text becomes an escape: it breaks one entry point, or one of another group
                yield from _parse(
                    content.decode(errors="backslashreplace"), group, f"{project.replace('_', '-')} {version}".strip()
                )


def _key(project: str) -> str:
    """Returns a distribution's name for comparison, in which case and the kind of separator do not matter."""
    return project.lower().replace("-", "_").replace(".", "_")


def _read(path: str) -> bytes:
    """Returns the content of a file, empty if there is none: as bytes, since few of a hundred files have to be
    decoded."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _parse(text: str, group: str, distribution: str) -> Iterator[EntryPoint]:
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == group and line and not line.startswith(("#", ";")):
            name, _, target = line.partition("=")
            yield EntryPoint(name.strip(), target.partition("[")[0].strip(), distribution)


def _from_metadata(folder: str, group: str, seen: set[str]) -> Iterator[EntryPoint]:
    from importlib.metadata import distributions

    try:
        for distribution in distributions(path=[folder]):
            key = _key(distribution.metadata["Name"])
            if key not in seen:
                seen.add(key)
                title = f"{distribution.metadata['Name']} {distribution.version}"
                for entry in distribution.entry_points.select(group=group):
                    yield EntryPoint(entry.name, entry.value, title)
    except Exception as error:
        raise PluginError(
            f"{folder}: the metadata of its distributions cannot be read: {type(error).__name__}: {error}; take it out "
            "of the path (PYTHONPATH)"
        ) from error
