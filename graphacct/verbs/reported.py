"""A report as it is, or that of a model; with its tensors one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct.hooks.manager import Plugins
from graphacct.reports.report import Report
from graphacct.verbs.account import account
from graphacct.verbs.model import Model, check_no_options


def reported(report: Report | Model, plugins: Plugins, options: Mapping[str, Any]) -> Report:
    """Returns a report as it is, or that of a model under options of `account`. Raises ConfigError for options beside a
    report."""
    if not isinstance(report, Report):
        return account(report, plugins=plugins, **options)
    check_no_options(report, options)
    return report


def tensors_of(report: Report | Model, expand: bool, plugins: Plugins, options: Mapping[str, Any]) -> Report:
    """Returns the report of a model's tensors; operators without a cost have tensors too."""
    from graphacct.render.checkpoint import expanded

    alone = reported(report, plugins, options if isinstance(report, Report) else {"unknown": "report", **options})
    return expanded(alone, plugins) if expand else alone
