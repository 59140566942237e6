"""What some checks of the kit need besides graphacct's own requirements."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from unittest import SkipTest

WORLDS = {"sympy": "symbols as sizes", "numpy": "arrays as sizes"}
"""The modules, by what they are needed for."""
INSTALL = "pip install 'graphacct[testing]'"
"""What installs them."""


def needed(module: str) -> Any:
    """Imports and returns one of the modules of WORLDS. Skips the check, and says why, where it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise SkipTest(f"{WORLDS[module]} need {module}: {INSTALL}") from error
