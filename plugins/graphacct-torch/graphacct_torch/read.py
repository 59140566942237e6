"""Reads a module, as a user gives it, into a graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from graphacct import Graph, Operator, brief
from graphacct_torch.errors import CaptureError
from graphacct_torch.step import source

FORMS = "a module, (module, args) or (module, args, kwargs)"


def read(model: Any, operators: Mapping[str, Operator]) -> Graph:
    """Returns the graph of a module that is given with its inputs: `(module, args, kwargs)`.

    Raises CaptureError for another form, for inputs that are missing, and for a module that does not run without data.
    """
    module, args, kwargs = given(model)
    return source(type(module).__name__, module, args, kwargs, operators).graph()


def given(model: Any) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    """Returns the module and its inputs, from what a factory returned or a user gave."""
    parts = model if isinstance(model, tuple) else (model,)
    module = parts[0]
    args = parts[1] if len(parts) > 1 else ()
    kwargs = parts[2] if len(parts) > 2 else {}
    if len(parts) > 3 or not isinstance(args, (tuple, list)) or not isinstance(kwargs, Mapping):
        raise CaptureError(f"{brief(model)} is not {FORMS}")
    return module, tuple(args), dict(kwargs)
