"""The verb that makes a model a page to explore and to compute with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from graphacct.costs.conventions import Convention
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import (
    DEFAULTS,
    AccountKeywords,
    checked,
)
from graphacct.models.find import find_model
from graphacct.reports.report import Report
from graphacct.verbs.account import account
from graphacct.verbs.model import Model

if TYPE_CHECKING:
    from graphacct.deriving.branches import Branches


@checked(AccountKeywords)
def page(
    model: Model,
    *,
    color_by: str = "flops",
    depth: int | None = None,
    unroll: bool = False,
    views: bool = False,
    convention: str | Convention = DEFAULTS["convention"],
    mask: str | None = None,
    unknown: str = DEFAULTS["unknown"],
    quantities: Any = None,
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> str:
    """Returns a model as one HTML document, which fetches nothing: its graph to open and close, and its sizes to
    change.

    Args:
        model: As for `build`, or a Report, whose sizes are fixed.
        color_by: The quantity that colours it at first.
        depth: Levels of scopes that are open at first; what is readable unless given.
        unroll: Whether every repetition of a block is a part.
        views: Whether views that cost nothing are parts.
        convention: As for `account`.
        mask: As for `account`.
        unknown: As for `account`.
        quantities: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: Those of `account`.

    Raises what `account` raises, UnknownNameError for an unknown quantity, and RenderError for figures that are no
    numbers.
    """
    from graphacct.render.page.page import page as written

    plugins = plugins or default()
    shown: dict[str, Any] = {"color_by": color_by, "depth": depth, "unroll": unroll, "views": views, "plugins": plugins}
    if isinstance(model, Report):
        return written(model, **shown)
    given = {"convention": convention, "mask": mask, "unknown": unknown, "quantities": quantities, **options}
    found = find_model(model, plugins, options.get("set") or {})
    report = account(found, plugins=plugins, **given)
    return written(report, branches=partial(branches_of, found, given, plugins), **shown)


def branches_of(
    model: Model,
    options: Mapping[str, Any],
    plugins: Plugins,
    report: Report,
    rewrite: Callable[[Report], Report],
) -> Branches:
    """Returns a report with its sizes left open: that of a model with the `options` of `account`, rewritten."""
    from graphacct.deriving.branches import branches

    found = find_model(model, plugins, options.get("set") or {})
    return branches(lambda **given: rewrite(account(found, plugins=plugins, **given)), found, options, report)
