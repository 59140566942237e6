"""A word on standard error while a command works for more than a second, if that is a terminal: for how long, and how
far it is where the work says so (`progress.py`)."""

from __future__ import annotations

import os
import sys
from typing import Any

AFTER = 1.0
"""Seconds of silence."""
_STATE: dict[str, Any] = {}
"""A `lock`, the `timer` until it fires, then what is `shown`; nothing where nobody looks."""


def begin() -> None:
    """Starts to wait. Whatever prints ends it first."""
    if sys.stderr is None or sys.stderr.closed or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return
    from threading import Lock, Timer

    timer = Timer(AFTER, _show)
    timer.daemon = True
    _STATE.update(lock=Lock(), timer=timer)
    timer.start()


def end() -> None:
    """Takes the word away, or never shows it."""
    if not _STATE:
        return
    with _STATE["lock"]:
        timer, shown = _STATE.pop("timer", None), _STATE.pop("shown", None)
        if timer is not None:
            timer.cancel()
        if shown is not None:
            shown.stop()


def _show() -> None:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
    from rich.text import Text

    from graphacct.progress import told

    class Steps(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(told())

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), Steps())
    shown = Progress(*columns, console=Console(stderr=True), transient=True)
    shown.add_task("accounting; Ctrl-C stops it")
    with _STATE["lock"]:
        if _STATE.pop("timer", None) is not None:  # nothing was printed meanwhile
            shown.start()
            _STATE["shown"] = shown
