"""Each hook call on standard error, for authors of plugins: `GRAPHACCT_TRACE=1 graphacct report …`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pluggy

from graphacct.errors import brief

VARIABLE = "GRAPHACCT_TRACE"
NAMES = 6
"""The most names in a line."""


def asked() -> bool:
    """Returns whether hook calls are to be shown."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


def say(text: str) -> None:
    """Writes one line, if asked for. Standard error may be closed."""
    if asked() and sys.stderr is not None:
        print(f"trace: {' '.join(text.split())}", file=sys.stderr)


def loaded(title: str, hooks: Iterable[str]) -> None:
    """Says that a plugin was loaded, and what it implements."""
    say(f"{title} loaded: {', '.join(hooks) or 'it implements no hook'}")


def registers(hook: str, title: str, items: Sequence[Any]) -> None:
    """Says what a plugin returned from a registering hook."""
    names = ", ".join(item.name for item in items[:NAMES]) + (", …" if len(items) > NAMES else "")
    say(f"{hook} of {title} -> {len(items)}{': ' if items else ''}{names}")


def watch(manager: pluggy.PluginManager) -> None:
    """Shows each call that goes through the manager: its arguments, who was asked, and what came out."""

    def before(_hook: str, _impls: Sequence[Any], _arguments: Mapping[str, Any]) -> None:
        """pluggy wants one."""

    def after(outcome: Any, hook: str, impls: Sequence[Any], arguments: Mapping[str, Any]) -> None:
        given = ", ".join(f"{name}={brief(value)}" for name, value in arguments.items())
        error = outcome.exception
        result = brief(outcome.get_result()) if error is None else f"{type(error).__name__}: {error}"
        say(f"{hook}({given}) of {', '.join(impl.plugin_name for impl in reversed(impls))} -> {result}")

    manager.add_hookcall_monitoring(before, after)
