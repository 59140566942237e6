"""What only a whole process shows: pipes that close, full disks, interrupts, other encodings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Process = Callable[..., "subprocess.CompletedProcess[str]"]
COMMAND = [sys.executable, "-c", "from graphacct.cli import main; main()"]


def start(*arguments: str, environment: Mapping[str, str] | None = None, **options: object) -> subprocess.Popen[str]:
    """A process of the command line."""
    env = {**os.environ, **(environment or {})}
    return subprocess.Popen([*COMMAND, *arguments], env=env, text=True, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload, no-any-return]


def test_a_reader_that_leaves_is_no_error() -> None:
    """`graphacct report … | head -1` says nothing on standard error."""
    reader, writer = os.pipe()
    os.close(reader)
    process = start("report", "gpt2", "--format", "json", stdout=writer)
    os.close(writer)
    assert process.communicate()[1] == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_a_full_disk_is_an_error() -> None:
    """Output that cannot be written is said in one line, with status 1."""
    with open("/dev/full", "w") as full:
        process = start("report", "gpt2", stdout=full)
        said = process.communicate()[1]
    assert process.returncode == 1
    assert said == "graphacct: cannot write the output: No space left on device\n"


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are inherited in another way")
def test_a_closed_output_is_an_error() -> None:
    """`>&-` ends with status 1 and a way out."""
    process = start("report", "gpt2", preexec_fn=lambda: os.close(1))
    said = process.communicate()[1]
    assert process.returncode == 1
    assert said == "graphacct: cannot write the output: standard output is closed; -o FILE writes to a file\n"


@pytest.mark.parametrize("form", ["table", "markdown", "csv"])
def test_an_output_without_unicode_gets_plain_characters(form: str) -> None:
    """Where the output's encoding has no bars and crosses, others stand for them."""
    process = start(
        "report", "gpt2", "--format", form, environment={"PYTHONIOENCODING": "ascii"}, stdout=subprocess.PIPE
    )
    out, said = process.communicate()
    assert (process.returncode, said) == (0, "")
    assert out.isascii()
    assert "124" in out


def test_an_interrupt_ends_quietly(process: Process) -> None:
    """Ctrl-C ends with status 130 and no traceback."""
    done = process(
        "import sys, graphacct.verbs.account, graphacct.cli\n"
        "def stop(*_, **__): raise KeyboardInterrupt\n"
        "sys.modules['graphacct.verbs.account'].account = stop\n"
        "sys.argv = ['graphacct', 'report', 'gpt2']\n"
        "graphacct.cli.main()"
    )
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


INTERRUPT = "import os, signal\ndef stop(*_, **__): os.kill(os.getpid(), signal.SIGINT)\n"
"""Ctrl-C, from within."""
AT = {
    "while the command line is imported": (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'click': stop()\n"
        "sys.meta_path.insert(0, Finder())\n"
    ),
    "in the command": "import graphacct.verbs.account\ngraphacct.verbs.account.account = stop\n",
    "in a destructor": (
        "import graphacct.verbs.account\n"
        "class Held:\n"
        "    def __del__(self): stop()\n"
        "def account(*_, **__): del Held.held\n"
        "Held.held = Held()\n"
        "graphacct.verbs.account.account = account\n"
    ),
    "twice": (
        "import graphacct.verbs.account\n"
        "def twice(*_, **__):\n"
        "    try: stop()\n"
        "    finally: stop()\n"
        "graphacct.verbs.account.account = twice\n"
    ),
    "at exit": "import atexit\natexit.register(stop)\n",
}


@pytest.mark.skipif(os.name != "posix", reason="signals are another system's")
@pytest.mark.parametrize("where", AT)
def test_an_interrupt_at_any_time_is_no_traceback(process: Process, where: str) -> None:
    """Status 130 and no word, also where Python would print a traceback and go on."""
    run = "import sys\nsys.argv = ['graphacct', 'report', 'gpt2']\nfrom graphacct.__main__ import main\nmain()\n"
    # tests that run in the background of a shell inherit an ignored SIGINT
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    done = process(INTERRUPT + heard + AT[where] + run)
    assert (done.returncode, done.stderr.strip()) == (130, "")


@pytest.mark.skipif(os.name != "posix", reason="signals are another system's")
def test_an_interrupt_that_the_shell_ignores_is_ignored(process: Process) -> None:
    """`nohup graphacct …` goes on."""
    ignored = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    run = "import sys\nsys.argv = ['graphacct', 'report', 'gpt2']\nfrom graphacct.__main__ import main\nmain()\n"
    done = process(ignored + INTERRUPT + "stop()\n" + run + "stop()\n")
    assert (done.returncode, done.stderr) == (0, "")


BUG = (
    "import sys, graphacct.verbs.account, graphacct.cli\n"
    "def bug(*_, **__): raise KeyError('a bug')\n"
    "sys.modules['graphacct.verbs.account'].account = bug\n"
    "sys.argv = ['graphacct', 'report', 'gpt2']\n"
    "graphacct.cli.main()"
)


def test_a_bug_ends_in_one_line(process: Process) -> None:
    """What nobody foresaw ends in one line too, which says how to see the traceback."""
    done = process(BUG)
    assert done.returncode == 1
    assert done.stderr == ("graphacct: internal error: KeyError: 'a bug' (set GRAPHACCT_TRACEBACK=1 to see where)\n")
    assert "Traceback" in process("import os; os.environ['GRAPHACCT_TRACEBACK'] = '1'\n" + BUG).stderr


def test_the_package_runs_as_the_command() -> None:
    """`python -m graphacct` is the command line, where the script is not on the path."""
    command = [sys.executable, "-m", "graphacct", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.startswith("graphacct ")
