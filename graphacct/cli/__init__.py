"""The command line: each command parses, calls one public function and prints. One file per command, loaded on use."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

COMMANDS = {
    "report": "What a model costs, by scope, operator or parameter.",
    "draw": "A picture (SVG, PNG, PDF, DOT) or a page to explore (HTML).",
    "explain": "Where the numbers of one node come from.",
    "formula": "The closed formula of a figure, in the model's own sizes.",
    "compare": "Models side by side, or one at several sizes, with shares.",
    "diff": "Which nodes of two models differ, and what that costs.",
    "reconcile": "Why two conventions give different FLOPs, term by term.",
    "solve": "The size at which a condition holds, or two figures cross.",
    "sweep": "A model over a grid of its sizes, as rows: CSV, JSON or Parquet.",
    "memory": "The memory of a training step, part by part, and whether it fits.",
    "params": "The checkpoint's tensors: names, shapes, dtypes.",
    "verify": "Whether a checkpoint has the tensors that a model has.",
    "list": "Models, operators, and all else that plugins register.",
    "plugins": "What is loaded, from where, and what it registers.",
    "export": "Save a model's graph as JSON, for other tools or to edit.",
}
"""The purpose of each command. The commands are in modules of their own, so that help need not import them."""


def core_command(name: str) -> click.Command:
    """Imports and returns one of the COMMANDS."""
    module = "list_" if name == "list" else name
    command: click.Command = import_module(f"graphacct.cli.{module}").command
    return command


class Commands(click.Group):
    """A group that imports a command on use and reports every error in one or two lines.

    Plugins' commands are listed beside the core's. Their names are known without importing them.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            from graphacct.cli.plugin_commands import find_command

            return find_command(cmd_name, COMMANDS)
        return core_command(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and self.get_command(ctx, name) is None:
            from graphacct.cli import other_words
            from graphacct.hooks.manager import default

            ctx.fail(f"no such command {name!r}{other_words.command(name, default().commands)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the core's commands with their purpose, and the plugins' with their distribution."""
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])
        from graphacct.cli.plugin_commands import announced

        others = announced(COMMANDS)
        if others:
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(name, f"of {entry.distribution}") for name, entry in others.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from graphacct.cli.help import write_examples

        write_examples("", formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command. A plugin or the model's own code cannot end the program."""
        from graphacct.cli import waiting

        waiting.begin()
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, OSError):
            raise
        except Exception as error:
            name = ctx.invoked_subcommand
            if name is None or name in COMMANDS:
                raise
            from graphacct.cli.plugin_commands import failed
            from graphacct.errors import GraphacctError

            if isinstance(error, GraphacctError):
                raise
            raise failed(name, COMMANDS, error) from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            from graphacct.cli.culprit import culprit, way_out

            who = culprit(error) or "a plugin or the model's own code"
            text = repr(error) if isinstance(error, SystemExit) else f"{type(error).__name__}: {error}"
            raise click.ClickException(f"{who} ended the program: {text}{way_out(error)}") from error
        finally:
            waiting.end()

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> Any:  # type: ignore[override]
        """Runs and exits with 0 (done), 1 (the request cannot be answered), 2 (usage) or 130 (interrupted)."""
        try:
            extra["standalone_mode"] = False
            status = super().main(args, prog_name or "graphacct", **extra)
            if sys.stdout is not None:
                sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            from graphacct.cli.errors import end

            status = end(error, sys.argv[1:] if args is None else args)
        sys.exit(status if isinstance(status, int) else 0)


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from graphacct import __version__

        click.echo(f"graphacct {__version__}")
        ctx.exit()


def main() -> None:
    """The console script.

    The garbage collector is off: a command is short, and the collector would scan every imported module several times,
    the last time at exit. That is a fifth of the CPU of a plain report.
    """
    gc.disable()
    try:
        cli()
    finally:
        gc.freeze()


@click.group(
    "graphacct", cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
def cli() -> None:
    """A ledger for the cost of a model: exact parameters, FLOPs, bytes and activation memory, explained.

    MODEL is a preset's or a hub's name (gpt2-xl, Qwen/Qwen3-8B), a config.json or its folder, a saved graph, or
    FILE.py:function or package.module:function, which returns one.
    """
    click.get_current_context().with_resource(warnings.catch_warnings())
    warnings.showwarning = lambda message, *_: _warn(message)


def _warn(message: Warning | str) -> None:
    """Prints a warning as other messages are printed."""
    from graphacct.cli.errors import say, with_dashes

    say(f"warning: {with_dashes(str(message))}")
