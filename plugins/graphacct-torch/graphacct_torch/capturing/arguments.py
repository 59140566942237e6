"""The names of a module's positional inputs: those of its forward's arguments."""

from __future__ import annotations

import inspect

from torch import nn


def argument_names(module: nn.Module, count: int) -> list[str]:
    """Returns the names of the first positional arguments of a module's forward: `tokens`; `args_0`, `args_1` of
    `*args`; `input_0` of a forward whose arguments are not known."""
    try:
        formals = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):  # it is not Python
        formals = []
    names = [formal.name for formal in formals if formal.kind in (formal.POSITIONAL_ONLY, formal.POSITIONAL_OR_KEYWORD)]
    rest = next((formal.name for formal in formals if formal.kind is formal.VAR_POSITIONAL), "input")
    return [*names, *(f"{rest}_{index}" for index in range(count - len(names)))][:count]
