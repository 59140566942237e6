"""graphacct diff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from graphacct.cli import completion
from graphacct.cli.help import Command
from graphacct.cli.options import BYTES, OUTPUT, QUANTITIES, SIZE, account_options, arguments, format_option
from graphacct.cli.output import FORMATS, format_of, give, give_sheets, say_keys

if TYPE_CHECKING:
    from graphacct.reports.diff import Diff

PICTURES = (".svg", ".png", ".pdf", ".dot", ".gv", ".html", ".htm")
"""The endings of files that are pictures, or a page of both models side by side."""


@click.command("diff", cls=Command)
@click.argument("models", nargs=-1, required=True, metavar="A B", shell_complete=completion.models)
@account_options
@click.option(
    "--quantity",
    default="flops",
    metavar="NAME",
    help="What the table shows.  [default: flops]",
    shell_complete=QUANTITIES,
)
@click.option(
    "--fail-if",
    multiple=True,
    metavar="CONDITION",
    help="Exit with 1 if it holds: 'flops > +3%', 'peak_bytes > 1GiB', 'flops(attention) > +3%'. Repeatable.",
)
@click.option("--since", metavar="COMMIT", help="Compare files with their own versions in a commit of git.")
@click.option("--depth", type=SIZE, metavar="N", help="Levels of scopes.  [default: where most differs, 30 lines]")
@BYTES
@format_option(*FORMATS)
@OUTPUT
def command(
    models: tuple[str, ...],
    quantity: str,
    fail_if: tuple[str, ...],
    since: str | None,
    depth: int | None,
    bytes_: str,
    format_: str | None,
    output: str | None,
    **options: Any,
) -> int:
    """Which nodes of two models differ under one workload: added, removed, changed, and what that costs.

    In a CONDITION a name is the change of that quantity from A to B, flops(attention) that of a role, and
    flops("*.mlp") that of scopes: in per cent of A's if a percentage stands in the comparison, else in its own unit.
    With --since, each of the files given is B, and its version in the commit is A.
    """
    picture = format_ is None and output is not None and output.lower().endswith(PICTURES)
    form = "picture" if picture else format_of(format_, output)
    if since is None and len(models) != 2:
        raise _usage(f"give two models, A and B (or files, and --since), not {len(models)}")
    if len(models) > 1 and since is not None and form in ("json", "csv", "picture"):
        raise _usage(f"{form} is of one diff: give one file")
    given = {"quantity": quantity, "fail_if": fail_if, **arguments(options)}
    diffs = [_diff(models[0], models[1], given)] if since is None else [*_since(since, models, given)]
    if diffs:
        if picture:
            diffs[0].draw(output, depth, given["plugins"])
        else:
            _give(diffs, form, output, depth, bytes_ == "binary")
    return _say(diffs)


def _diff(a: str, b: str, given: Mapping[str, Any]) -> Diff:
    from graphacct.verbs.diff import diff

    return diff(a, b, **given)


def _since(since: str, paths: Sequence[str], given: Mapping[str, Any]) -> Iterator[Diff]:
    """Yields the diff of each file with its version in a commit; says which ones the commit lacks."""
    from graphacct.cli.committed import committed
    from graphacct.cli.errors import say
    from graphacct.errors import GraphacctError

    for path in paths:
        with committed(path, since) as before:
            if before is None:
                say(f"{path}: is not in the commit, so there is nothing to compare it with")
                continue
            try:
                yield _diff(before, path, given)
            except GraphacctError as error:
                error.args = (str(error).replace(before, f"{path} as committed"),)
                raise


def _give(diffs: Sequence[Diff], form: str, output: str | None, depth: int | None, binary: bool) -> None:
    from graphacct.render.diff import columns, records, sheet, to_dict

    found = diffs[0]
    if form == "json":
        from graphacct.render.json import to_json

        give(to_json(to_dict(found)), output)
    elif form == "csv":
        from graphacct.render.csv import table

        for report in (found.first, found.other):
            say_keys(report.model, report.config_keys)
        give(table(records(found), columns(found)), output)
    else:
        give_sheets([sheet(each, depth, binary) for each in diffs], form, output)


def _say(diffs: Sequence[Diff]) -> int:
    """Says which conditions hold, with their figures, and returns the exit status."""
    from graphacct.cli.errors import say
    from graphacct.render.diff import holding

    for found in diffs:
        for sentence in holding(found):
            say(f"{found.other.model}: {sentence}" if len(diffs) > 1 else sentence)
    return 1 if any(found.failing for found in diffs) else 0


def _usage(message: str) -> click.UsageError:
    return click.UsageError(message, click.get_current_context(silent=True))
