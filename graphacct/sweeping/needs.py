"""What a sweep needs besides graphacct's own requirements, and how to install it."""

from __future__ import annotations

from importlib import import_module

from graphacct.errors import ConfigError


def need(module: str, extra: str, what: str) -> None:
    """Imports a module of an extra. Raises ConfigError, which says how to install it, if it is not there."""
    try:
        import_module(module)
    except ImportError as error:
        raise ConfigError(f"{what} needs {module} ({error}): pip install 'graphacct[{extra}]'") from error
