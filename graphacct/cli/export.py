"""graphacct export."""

from __future__ import annotations

from typing import Any

import click

from graphacct.cli.help import Command
from graphacct.cli.options import MODEL_ARGUMENT, arguments, model_options
from graphacct.cli.output import give, say_keys
from graphacct.cli.parameter_types import OutputPath


@click.command("export", cls=Command)
@MODEL_ARGUMENT
@model_options
@click.option("-o", "--output", type=OutputPath(), required=True, metavar="FILE", help="Where to.")
def command(model: str, output: str, **options: Any) -> None:
    """Save the graph of MODEL as JSON (docs/graph-json.md); every command takes the file for a MODEL."""
    from graphacct.readers.graph_json import to_json
    from graphacct.verbs.build import build

    graph = build(model, **arguments(options))
    say_keys(graph.name, graph.config_keys)
    give(to_json(graph), output)
