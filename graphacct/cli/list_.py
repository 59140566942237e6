"""graphacct list."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli.options import OUTPUT, format_option, plugin_options, plugins
from graphacct.cli.output import FORMATS, format_of, give_rows
from graphacct.cli.parameter_types import OneOf
from graphacct.render.catalogue import KINDS, catalogue


@click.command("list")
@click.argument("kind", required=False, default="architectures", metavar="[KIND]", type=OneOf(KINDS))
@plugin_options
@format_option(*FORMATS)
@OUTPUT
def command(kind: str, format_: str | None, output: str | None, **options: Any) -> None:
    """What there is to use: architectures (the default), operators, conventions, quantities, profiles, readers,
    transforms, optimizers, recompute-policies, weight-formats, devices, outputs, commands or plugins.

    JSON shows the whole of it, the keys and values of each architecture's configuration (for --set) among them.
    """
    form = format_of(format_, output)
    if kind == "plugins":
        from graphacct.cli.plugins import show

        show(form, output, options)
        return
    give_rows(kind, catalogue(kind, plugins(options)), form, output)
