"""How many levels of scopes are shown."""

from __future__ import annotations

from graphacct.errors import ConfigError


def check_depth(depth: int | None) -> None:
    """Raises ConfigError for a depth below 1."""
    if depth is not None and depth < 1:
        raise ConfigError(f"depth must be at least 1, not {depth}")
