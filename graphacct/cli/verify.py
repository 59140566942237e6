"""graphacct verify."""

from __future__ import annotations

import os
from typing import Any

import click

from graphacct.cli.help import Command
from graphacct.cli.options import MODEL_ARGUMENT, OUTPUT, arguments, format_option, model_options
from graphacct.cli.output import format_of, give, give_sheet


@click.command("verify", cls=Command)
@MODEL_ARGUMENT
@click.option(
    "--checkpoint",
    metavar="FILE",
    help="A .safetensors file, the index of a sharded one, or a folder with either.  [default: MODEL, a folder]",
)
@click.option("--torch", "torch_", is_flag=True, help="Compare with the library's own class, measured without weights.")
@model_options
@format_option("table", "json")
@OUTPUT
def command(
    model: str, checkpoint: str | None, torch_: bool, format_: str | None, output: str | None, **options: Any
) -> None:
    """Whether a checkpoint has the tensors that MODEL has: names and shapes, from the files' headers alone.

    With --torch, whether MODEL is what the library's own class is: parameters by name, the FLOPs of each module in a
    forward pass and in a training step, and what a step saves and holds at most. That needs graphacct-torch, torch and
    transformers, and no weights. A sequence is 8 tokens long unless --seq-len says more, with images or sounds 8 longer
    than their placeholders; --set num_hidden_layers=2, or what the family calls it, compares a deep model in less time.

    The exit status is 1 where they differ.
    """
    if torch_:
        if checkpoint is not None:
            raise click.UsageError(
                "--torch and --checkpoint are two comparisons", click.get_current_context(silent=True)
            )
        return _with_class(model, format_, output, options)
    from graphacct.checkpoints.safetensors import tensors
    from graphacct.checkpoints.verify import verify
    from graphacct.render.checkpoint import expanded
    from graphacct.render.verification import sheet, to_dict
    from graphacct.verbs.account import account

    form = format_of(format_, output, ("table", "json"))
    if checkpoint is None and not os.path.isdir(model):
        raise click.UsageError("--checkpoint says which file to compare with", click.get_current_context(silent=True))
    given = arguments(options)
    report = expanded(account(model, unknown="report", **given), given["plugins"])
    where = checkpoint or model
    found = verify(report, tensors(where), given["plugins"])
    if form == "json":
        from graphacct.render.json import to_json

        give(to_json(to_dict(found)), output)
    else:
        give_sheet(sheet(found, where), form, output)
    if not found.equal:
        click.get_current_context().exit(1)


def _with_class(model: str, format_: str | None, output: str | None, options: dict[str, Any]) -> None:
    """Compares a model with the library's class."""
    from graphacct.render.class_verification import sheet, to_dict
    from graphacct.verbs.verify import verify_class

    form = format_of(format_, output, ("table", "json"))
    found = verify_class(model, **arguments(options))
    if form == "json":
        from graphacct.render.json import to_json

        give(to_json(to_dict(found)), output)
    else:
        give_sheet(sheet(found), form, output)
    if not found.equal:
        click.get_current_context().exit(1)
