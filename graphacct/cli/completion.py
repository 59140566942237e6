"""What the shell offers while a command is typed: models, the names that plugins register, the keys of a model.

`_GRAPHACCT_COMPLETE=bash_source graphacct` prints what a shell needs (README). Names come from the plugins' tables and
listings, so that nothing is built while somebody types; whatever fails, offers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

Offered = Callable[[click.Context, click.Parameter, str], list[Any]]


def models(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Offers the presets and families that begin so, and files."""
    from click.shell_completion import CompletionItem

    from graphacct.models.find import presets

    found = [CompletionItem(name) for name in sorted({*presets()}) if name.startswith(incomplete.lower())]
    return [*found, CompletionItem(incomplete, type="file")]


def registered(kind: str) -> Offered:
    """Returns what offers the names that plugins register of a kind, after the commas that are there."""

    def offered(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
        from graphacct.hooks.manager import default

        return _after_commas(getattr(default(), kind), incomplete)

    return offered


def devices(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Offers the devices of --on, after the commas that are there."""
    from graphacct.render.catalogue import catalogue

    names = (name for row in catalogue("devices") for name in (row["name"], *row["aliases"]))
    return _after_commas(["all", *map(str.lower, names)], incomplete.lower())


def keys(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Offers the keys of the model's configuration, each with the value that it has and that is to be changed."""
    return [f"{name}={_shown(value)}" for name, value in _keys(ctx).items() if name.startswith(incomplete)]


def sizes(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Offers the sizes of a workload and the keys of the model's configuration, after the commas that are there."""
    from graphacct.models.workload import SIZES

    return _after_commas([*SIZES, *_keys(ctx)], incomplete)


def axes(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Offers the same sizes, with the = that follows."""
    return [f"{name}=" for name in sizes(ctx, parameter, incomplete)]


def _after_commas(names: Iterable[str], incomplete: str) -> list[str]:
    before, comma, begun = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in names if name.startswith(begun)]


def _shown(value: Any) -> str:
    """Returns a value as --set takes it; nothing of one that is long to write."""
    import json

    return json.dumps(value) if isinstance(value, (int, float)) else value if isinstance(value, str) else ""


def _keys(ctx: click.Context) -> dict[str, Any]:
    """Returns the configuration of the model that is typed already; nothing of a file, which is not read."""
    import attrs

    from graphacct.errors import GraphacctError
    from graphacct.hooks.manager import default
    from graphacct.models.find import preset

    # before a value that is missing yet, click leaves the arguments unread
    model = ctx.params.get("model") or next(iter(ctx.params.get("models") or ctx.args), None)
    try:
        found = None if model is None else preset(str(model), default())
    except GraphacctError:
        return {}
    return (
        {} if found is None else {field.name: getattr(found[1], field.name) for field in attrs.fields(type(found[1]))}
    )
