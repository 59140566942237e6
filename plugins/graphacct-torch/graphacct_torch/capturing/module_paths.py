"""Paths of modules: a module that has several in the same place of a list, or beside each other, runs under each.

`nn.ModuleList([layer, layer, layer])` has one layer, of three names in the state_dict. Its first run is `layers.0`, its
second `layers.1`. An activation that each layer has as its own `act` is `layers.3.act` where the fourth layer runs it.
Torch does not say under which name code takes a module: the runs within one module take the names in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn


def paths_of(module: nn.Module) -> Mapping[nn.Module, Sequence[str]]:
    """Returns the paths of each module in a module: the first, and the others whose place is like that one's."""
    found: dict[nn.Module, list[str]] = {}
    for path, part in module.named_modules(remove_duplicate=False):
        paths = found.setdefault(part, [])
        if not paths or _alike(paths[0], path):
            paths.append(path)
    return found


def path_taken(paths: Sequence[str], scope: str, runs: int) -> str:
    """Returns under which of its paths a module runs, within another at a scope that has run it so often before: the
    first path if none lies there."""
    inside = [path for path in paths if not scope or path.startswith(f"{scope}.")]
    return inside[runs % len(inside)] if inside else paths[0]


def _alike(first: str, second: str) -> bool:
    """Returns whether two paths differ in a single part: `layers.0.act` and `layers.1.act`, not `shared` and
    `encoder.embed`."""
    one, other = first.split("."), second.split(".")
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1
