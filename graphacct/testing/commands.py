"""The contract of a command of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from graphacct.errors import GraphacctError
from graphacct.testing.contract import Contract

if TYPE_CHECKING:
    import click

USAGE = 2
"""click's exit status for arguments that do not fit."""


class CommandContract(Contract):
    """What holds for every command. A subclass sets `command` and `runs`.

    Attributes:
        command: The click command, or its name.
        runs: What the output contains, by the arguments as they are typed: `{"gpt2 --batch 2": "wte.weight"}`.
    """

    kind = "commands"
    noun = "command"
    command: ClassVar[click.Command | str]
    runs: ClassVar[Mapping[str, str]] = {}

    def test_it_says_what_it_does(self) -> None:
        """`graphacct --help` has its sentence, and --help of the command works."""
        command = self.thing()
        if len(str(command.help or "").split()) < 3:
            self.fail(f"its help is {command.help!r}", "Write its docstring: `graphacct --help` shows the first line.")
        code, output, error = self._run("--help")
        if code:
            self.fail(f"--help ends with {error or code}", "Mend what its options are declared with.")
        if command.name not in output:
            self.fail(f"--help does not name it: {output[:60]!r}", "Declare it with @click.command().")

    def test_wrong_arguments_are_errors(self) -> None:
        """An option that it does not have, and no arguments at all, end without a traceback."""
        code, _, error = self._run("--no-such-option-at-all")
        if code != USAGE:
            self.fail(f"--no-such-option-at-all ends with {error or code}, not {USAGE}", "Declare options with click.")
        _, _, error = self._run("")
        if error:
            self.fail(f"without arguments it raises {error}", "Raise click.UsageError, or graphacct's own errors.")

    def test_runs_print_what_they_should(self) -> None:
        """Each of `runs` ends without an error, and its output contains what is stated."""
        if not self.runs:
            self.fail("no run is stated", 'Name one: runs = {"gpt2 --batch 2": "a part of its output"}.')
        for arguments, wanted in self.runs.items():
            code, output, error = self._run(arguments)
            if code:
                self.fail(f"{arguments!r} ends with {error or code}: {output[-80:]!r}", "Mend the command.")
            if wanted not in output:
                self.fail(f"{wanted!r} is not in the output of {arguments!r}: {output[:80]!r}", "Mend one of the two.")

    def _run(self, arguments: str) -> tuple[int, str, str]:
        """Returns the exit status, the output, and an exception that is no error of graphacct's or click's."""
        import shlex

        from click.testing import CliRunner

        command: Any = self.thing()
        done = CliRunner().invoke(command, shlex.split(arguments), prog_name=command.name)
        error = done.exception
        ours = error is None or isinstance(error, (GraphacctError, SystemExit))
        return done.exit_code, done.output, "" if ours else f"{type(error).__name__}: {error}"
