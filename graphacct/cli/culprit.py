"""Which plugin an error is of, and how to leave it out: for the last line that a user reads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from graphacct.errors import PluginError
from graphacct.hooks.entry_points import COMMANDS, EntryPoint, entry_points
from graphacct.hooks.manager import FILE_MODULE, GROUP

OWN = "graphacct "
"""How the title of graphacct's own distribution begins: its plugins are part of the program."""


def culprit(error: BaseException) -> str:
    """Returns the plugin whose code raised an error, as `plugin NAME (origin)`; empty if it was none of a plugin's."""
    entry = _entry_of(error)
    if entry is not None:
        return f"plugin {entry.name} ({entry.distribution})"
    file = next((file for name, file in _frames(error) if name.startswith(FILE_MODULE)), "")
    return f"plugin {os.path.splitext(os.path.basename(file))[0]} ({file})" if file else ""


def way_out(error: BaseException) -> str:
    """Returns the end of a message about an installed plugin's fault: how to leave the plugin out. Empty for anything
    else, and where the message says it."""
    if "--block" in str(error):
        return ""
    entry = _entry_of(error) or _entry_in(str(error))
    return "" if entry is None else f"; leave it out with --block {entry.name}"


def _entry_in(text: str) -> EntryPoint | None:
    """Returns the entry point whose plugin a message names, as `name (distribution)` or `'name' (distribution)`."""
    for entry in _others():
        if re.search(rf"\b{re.escape(entry.name)}'? \({re.escape(entry.distribution)}\)", text):
            return entry
    return None


def _entry_of(error: BaseException) -> EntryPoint | None:
    packages = {name.partition(".")[0] for name, _ in _frames(error)}
    return next(
        (entry for entry in _others() if entry.target.strip().partition(":")[0].partition(".")[0] in packages), None
    )


def _others() -> list[EntryPoint]:
    """Returns the entry points of other distributions; none if they cannot be read, which is then the error."""
    try:
        entries = [entry for group in (GROUP, COMMANDS) for entry in entry_points(group)]
    except PluginError:
        return []
    return [entry for entry in entries if not entry.distribution.startswith(OWN)]


def _frames(error: BaseException | None) -> Iterator[tuple[str, str]]:
    """Yields the module and the file of each function that was running when an error, or what it came from, was
    raised."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback = error.__traceback__
        while traceback is not None:
            frame = traceback.tb_frame
            yield str(frame.f_globals.get("__name__", "")), frame.f_code.co_filename
            traceback = traceback.tb_next
        error = error.__cause__ or error.__context__
