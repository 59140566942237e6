"""How a failing command ends: one or two lines on standard error, and an exit status."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

import click

from graphacct.cli import waiting
from graphacct.errors import GraphacctError, OperatorError, PluginError
from graphacct.keywords import AccountKeywords
from graphacct.render.printable import printable

TRACEBACK_VARIABLE = "GRAPHACCT_TRACEBACK"
OTHERS = (
    *("convention", "mask", "unknown", "on", "depth", "unroll", "views", "bare", "expand", "where", "max", "min", "by"),
    *("over", "keep", "pareto", "exact", "strict", "output", "workers", "scheduler"),
)
LINE = 600
"""The most characters in a line of a message; more would hide the problem."""
NAMES = "|".join((*AccountKeywords.__annotations__, *OTHERS))
KEYWORD = re.compile(rf"(?<![\w.])(?<!set )({NAMES})=(True\b|\"[^\"]*\"|'[^']*'|[\w.*:-]*\w)?")
"""An option as the core's messages write it, in Python syntax: `phase="train"`, `unroll=True`, `lora=`. A key of the
configuration may have an option's name, `set image_size=384,384`, and stays."""
LACKING = re.compile(rf"(?<=\bhas no )(?:{NAMES}): its workload is (?:(?:{NAMES})(?:, )?)+")
"""The names of the workload's sizes in the message about one that a model does not have."""
THINGS = ("plugin", "transform", "optimizer", "convention", "output")
"""Options whose names also begin messages about things that plugins register."""


def end(error: BaseException, given: Sequence[str] = ()) -> int:
    """Prints what went wrong and returns the exit status. `given` are the command's arguments."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return 130
    if isinstance(error, BrokenPipeError):
        # The reader of the output has gone. Without this, the interpreter's flush at exit would complain too.
        _discard_output()
        return 1
    if os.environ.get(TRACEBACK_VARIABLE):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, click.UsageError):
        return _usage(error)
    if isinstance(error, GraphacctError):
        blame = ""
        if isinstance(error, (PluginError, OperatorError)):
            from graphacct.cli.culprit import way_out

            blame = way_out(error)
        say(with_dashes(str(error), given) + blame)
        for note in getattr(error, "__notes__", ()):  # lines to be pasted, which stay as they are
            click.echo(note, err=True)
        return 1
    if isinstance(error, click.ClickException):
        say(error.format_message())
        return 1
    if isinstance(error, OSError):
        if error.filename is None:  # what is written to standard output has no name
            say(f"cannot write the output: {error.strerror or error}")
            _discard_output()
        else:
            say(f"{error.filename}: cannot be read: {error.strerror or error}")
        return 1
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    from graphacct.cli.culprit import culprit, way_out

    who = culprit(error)
    if who:
        say(f"{who} failed: {what}{way_out(error)} (set {TRACEBACK_VARIABLE}=1 to see where)")
        return 1
    say(f"internal error: {what} (set {TRACEBACK_VARIABLE}=1 to see where)")
    return 1


def with_dashes(message: str, given: Sequence[str] = ()) -> str:
    """Returns a message of the core with each option as it is typed here; `given` are the command's arguments.

    A message that begins with the name of a given option is about that option.

    >>> with_dashes('add phase="train", or leave seq_len= and unroll=True out')
    'add --phase train, or leave --seq-len and --unroll out'
    >>> with_dashes("leave them as they are with freeze='*'")
    "leave them as they are with --freeze '*'"
    >>> with_dashes("recompute 'atn' matches no node", ["report", "gpt2", "--recompute", "atn"])
    "--recompute 'atn' matches no node"
    >>> with_dashes("dynamic batch=5 is no dimension", ["report", "net.py:make", "--dynamic", "batch=5"])
    '--dynamic batch=5 is no dimension'
    >>> with_dashes("vit has no seq_len: its workload is batch, image_size")
    'vit has no --seq-len: its workload is --batch, --image-size'
    """
    first = message.partition(" ")[0]
    flag = f"--{first.replace('_', '-')}"
    about = ""
    if first not in THINGS and any(argument.partition("=")[0] == flag for argument in given):
        value, space, message = message[len(first) + 1 :].partition(" ")  # it stands as it was typed
        about = f"{flag} {value}{space}"

    def typed(found: re.Match[str]) -> str:
        name, value = found[1], (found[2] or "").strip("\"'")
        option = "--" + name.replace("_", "-")
        value = "'*'" if value == "*" else value  # a shell writes a bare star out as the names of files
        return option if value in ("", "True") else f"{option} {value}"

    def lacking(found: re.Match[str]) -> str:
        return re.sub(rf"\b(?:{NAMES})\b", lambda name: f"--{name[0].replace('_', '-')}", found[0])

    return about + KEYWORD.sub(typed, LACKING.sub(lacking, message))


def say(message: str) -> None:
    """Prints a message on standard error in at most two lines; names in it cannot add lines or control characters."""
    waiting.end()
    lines = [line.strip() for line in message.split("\n") if line.strip()]
    shown = [*lines[:1], *([" ".join(lines[1:])] if lines[1:] else [])]
    click.echo("graphacct: " + "\n".join(map(_short, shown)), err=True)


def _usage(error: click.UsageError) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return 2
    path = error.ctx.command_path if error.ctx else "graphacct"
    message = " ".join(error.format_message().split())
    if isinstance(error, click.exceptions.NoSuchOption) and (others := _commands_with(error.option_name)):
        named = " and ".join(f"graphacct {name}" for name in others[:2])
        message = f"no such option {error.option_name!r}: it belongs to {named}"
    elif isinstance(error, click.exceptions.NoSuchOption):
        from graphacct.cli import other_words

        known = [flag for item in error.ctx.command.params for flag in item.opts] if error.ctx else []
        message = f"no such option {error.option_name!r}{other_words.option(error.option_name, known)}"
        flag, here = other_words.elsewhere(error.option_name)
        if flag and "; here it is" not in message and (others := _commands_with(flag)):
            named = " and ".join(f"graphacct {name}" for name in others[:2])
            message = f"no such option {error.option_name!r}; it is {here}, of {named}"
    say(f"{message[:1].lower()}{message[1:]}\nsee {path} --help")
    return 2


def _commands_with(option: str) -> list[str]:
    """Returns the core's commands that have an option."""
    from graphacct.cli import COMMANDS, core_command

    return [name for name in COMMANDS if any(option in item.opts for item in core_command(name).params)]


def _short(line: str) -> str:
    line = printable(line)
    return line if len(line) <= LINE else f"{line[: LINE - 100]} … {line[-90:]}"


def _discard_output() -> None:
    with open(os.devnull, "wb") as nowhere:
        try:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        except (OSError, ValueError):  # not a real file, but a test's or an embedding program's
            return
