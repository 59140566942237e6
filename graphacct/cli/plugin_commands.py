"""Commands of plugins: their names without an import, and the commands on use.

A distribution announces a command in the entry-point group `graphacct.commands`, under the command's name; the hook
`graphacct_register_commands` is for plugins in a file (docs/decisions/commands.md).
"""

from __future__ import annotations

import os
from collections.abc import Container

import click

from graphacct.errors import PluginError, failure
from graphacct.hooks.entry_points import BLOCK_VARIABLE, COMMANDS, EntryPoint, entry_points


def announced(ours: Container[str]) -> dict[str, EntryPoint]:
    """Returns the commands that installed distributions announce, by name, without importing them.

    GRAPHACCT_BLOCK leaves some out. Raises PluginError, which names the distribution, for a command with the name of
    one of `ours` or of another distribution's.
    """
    blocked = os.environ.get(BLOCK_VARIABLE, "").split(os.pathsep)
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(COMMANDS), key=lambda entry: entry.name):
        if entry.name in blocked:
            continue
        if entry.name in ours:
            raise PluginError(
                f"command {entry.name!r} of {entry.distribution} is called as one of graphacct's own: rename it, or "
                f"leave it out with {BLOCK_VARIABLE}={entry.name}"
            )
        other = found.setdefault(entry.name, entry)
        if other is not entry:
            raise PluginError(
                f"command {entry.name!r} is of {other.distribution} and of {entry.distribution}: rename one, or leave "
                f"both out with {BLOCK_VARIABLE}={entry.name}"
            )
    return found


def find_command(name: str, ours: Container[str]) -> click.Command | None:
    """Returns a plugin's command, either announced or registered by a loaded plugin; None for an unknown name.

    Raises PluginError, which names the distribution, for a command that cannot be imported or is not a click command.
    """
    entry = announced(ours).get(name)
    if entry is None:
        from graphacct.hooks.manager import default

        found = default().commands.get(name)
    else:
        found = entry.load_command()
    command: click.Command | None = found
    return command


def failed(name: str, ours: Container[str], error: Exception) -> PluginError:
    """Returns the one-line error for a plugin's command that raised an exception."""
    entry = announced(ours).get(name)
    if entry is None:
        from graphacct.hooks.manager import default

        origin = default().origin("commands", name)
    else:
        origin = entry.distribution
    return PluginError(failure(f"command {name!r} of {origin}", error))
