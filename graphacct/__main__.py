"""The console script, and `python -m graphacct`: the command line, which Ctrl-C ends with status 130 at any time."""

from __future__ import annotations

# `signal` itself makes enums of these first, which is 0.7 % of the CPU of a report.
import _signal as signal  # type: ignore[import-not-found]
import os
import sys

TYPE_CHECKING = False  # typing is imported with the rest, when an interrupt is no traceback any more
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

INTERRUPTED = 130
"""128 and the signal's number, as shells report it."""


def main() -> None:
    """Runs the command line.

    While the command runs, Ctrl-C raises KeyboardInterrupt, so that nothing is left half done. Before that (imports),
    after it (exit) and the second time, it ends the process: an exception there would print a traceback.
    """
    handled = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # or else the shell ignores it: nohup
    if handled:
        signal.signal(signal.SIGINT, _leave)
        sys.unraisablehook = _unraisable
    from graphacct.cli import main as run

    try:
        try:
            if handled:
                signal.signal(signal.SIGINT, _interrupt)
            run()
        finally:
            if handled:
                signal.signal(signal.SIGINT, _leave)
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _leave)
    raise KeyboardInterrupt


def _unraisable(problem: Any) -> None:
    """Ends the process for an interrupt that came where no exception can be raised, such as in a destructor."""
    if problem.exc_type is not None and issubclass(problem.exc_type, KeyboardInterrupt):
        os._exit(INTERRUPTED)
    sys.__unraisablehook__(problem)


if __name__ == "__main__":
    main()
