"""A report as it is, or that of a model; with its tensors one by one."""

from __future__ import annotations

from graphacct.hooks.manager import Plugins
from graphacct.keywords import (
    DEFAULTS,
)
from graphacct.reports.report import Report
from graphacct.verbs.account import account
from graphacct.verbs.model import Model


def reported(report: Report | Model, plugins: Plugins, unknown: str = DEFAULTS["unknown"]) -> Report:
    """Returns a report as it is, or that of a model."""
    return report if isinstance(report, Report) else account(report, unknown=unknown, plugins=plugins)


def tensors_of(report: Report | Model, expand: bool, plugins: Plugins) -> Report:
    """Returns the report of a model's tensors; operators without a cost have tensors too."""
    from graphacct.render.checkpoint import expanded

    found = reported(report, plugins, "report")
    return expanded(found, plugins) if expand else found
