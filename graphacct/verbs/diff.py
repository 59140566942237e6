"""The verb that compares two models node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

from graphacct.costs.conventions import Convention
from graphacct.errors import ConfigError, GraphacctError
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import (
    DEFAULTS,
    AccountKeywords,
    checked,
)
from graphacct.reports.report import Report
from graphacct.verbs.account import account
from graphacct.verbs.model import Model

if TYPE_CHECKING:
    from graphacct.reports.diff import Diff


@checked(AccountKeywords)
def diff(
    a: Report | Model,
    b: Report | Model,
    *,
    quantity: str = "flops",
    fail_if: Sequence[str] = (),
    convention: str | Convention = DEFAULTS["convention"],
    mask: str | None = None,
    unknown: str = DEFAULTS["unknown"],
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Diff:
    """Returns which nodes of two models differ under one workload, and what that costs.

    Args:
        a: A report, or a model.
        b: Another one, matched with it node by node, by path.
        quantity: What a table shows.
        fail_if: Conditions on the changes of totals, `flops > +3%`, or of parts, `flops(attention) > 0`; the result's
            `failing` has those that hold.
        convention: As for `account`; of reports their own.
        mask: As for `account`; of reports their own.
        unknown: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`, of both models.

    Raises what `account` raises; ConfigError for two workloads or conventions, and for a condition that cannot be read
    or could mean two things.

    >>> found = diff("gpt2", "gpt2", fail_if=["flops > +3%"])
    >>> found.changes, found.failing
    ((), ())
    """
    from graphacct.expressions.change import condition
    from graphacct.reports.diff import diff as compared

    plugins = plugins or default()
    conditions = [condition(text) for text in ((fail_if,) if isinstance(fail_if, str) else fail_if)]
    reports = []
    for side, model in (("A", a), ("B", b)):
        if isinstance(model, Report):
            if options:
                raise ConfigError(f"{', '.join(options)}: {side} is a report already; give models, or two reports")
            reports.append(model)
            continue
        try:
            found = account(model, convention=convention, mask=mask, unknown=unknown, plugins=plugins, **options)
        except GraphacctError as error:
            error.args = (f"{error} (of {side})",)
            raise
        reports.append(found)
    return compared(reports[0], reports[1], quantity, conditions, plugins.operators)
