"""graphacct plugins, and its commands for authors: new and check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from graphacct.cli.help import Group
from graphacct.cli.options import OUTPUT, format_option, plugin_options
from graphacct.cli.output import FORMATS, format_of, give, give_rows

NEW = (
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
"""What `new` can write: `graphacct.testing.new.KINDS`, which help must not import."""


@click.group("plugins", cls=Group, invoke_without_command=True)
@plugin_options
@format_option(*FORMATS)
@OUTPUT
@click.pass_context
def command(context: click.Context, /, format_: str | None, output: str | None, **options: Any) -> None:
    """Each plugin, where it comes from, what it registers and replaces; a broken one is listed with its error.

    `new` writes a plugin of your own, `check` says what is wrong with one. GRAPHACCT_TRACE=1 before any command shows
    each hook call.
    """
    if context.invoked_subcommand is None:
        show(format_of(format_, output), output, options)


def show(form: str, output: str | None, options: Mapping[str, Any]) -> None:
    """Prints or writes the plugins; exits with status 1 if one of them is broken."""
    from graphacct.errors import PluginError
    from graphacct.hooks.manager import load
    from graphacct.render.catalogue import catalogue, conflicts, failures

    failed: list[tuple[str, str, PluginError]] = []
    loaded = load(options["block"], options["plugin"], failed)
    rows = catalogue("plugins", loaded) + failures(failed)
    broken = [row["name"] for row in rows if row["error"]]
    problems = [] if broken else conflicts(loaded)
    give_rows("plugins", rows, form, output, problems)
    if broken or problems:
        raise PluginError("; ".join(problems) or f"broken: {', '.join(broken)}")


def _flag(kind: str) -> str:
    return f"--{kind.replace('_', '-')}"


def _kinds(function: Any) -> Any:
    """Adds a flag for each kind of thing that `new` can write."""
    for kind in reversed(NEW):
        help_ = f"A plugin with {'an' if kind[0] in 'aeiou' else 'a'} {kind.replace('_', ' ')}."
        function = click.option(_flag(kind), is_flag=True, help=help_)(function)
    return function


@command.command("new")
@click.argument("name")
@_kinds
def new(name: str, **flags: bool) -> None:
    """Write a plugin into the folder NAME: a distribution with one thing, its tests and what installs it.

    The tests pass as they are: run them, then put your own in place of the example.
    """
    kinds = [kind for kind, asked in flags.items() if asked]
    if len(kinds) != 1:
        others = " and the ".join(kind.replace("_", " ") for kind in kinds[1:])
        several = f", and one thing: add the {others} to the plugin afterwards" if kinds else ""
        raise click.UsageError(
            f"say what the plugin has: {', '.join(map(_flag, NEW[:-1]))} or {_flag(NEW[-1])}{several}",
            click.get_current_context(),
        )
    from graphacct.testing.new import new as written

    files = written(name, kinds[0])
    give("\n".join(map(str, files)), None)


@command.command("check")
@click.argument("path")
def check(path: str) -> None:
    """Say what is wrong with the plugin at PATH: a Python file, or a distribution's folder with a pyproject.toml.

    The code at PATH is run. Each thing that it registers is tested by the contract in its tests, or else by one with
    operands that are made up; what is wrong takes a line, and the exit status is 1.
    """
    from graphacct.errors import PluginError
    from graphacct.testing.check import check as checked

    found = checked(path)
    lines = []
    for item in found:
        lines += [f"wrong  {item.subject}: {problem}" for problem in item.problems]
        if not item.problems:
            by = "" if item.own else ", with operands or models that were made up"
            lines.append(f"right  {item.subject}: {item.tests} tests{by}")
    give("\n".join(lines), None)
    problems = sum(len(item.problems) for item in found)
    if problems:
        raise PluginError(f"{path}: {problems} {'problem' if problems == 1 else 'problems'}, above")
