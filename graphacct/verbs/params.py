"""The verb for the tensors of a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import ReportKeywords, checked
from graphacct.reports.report import Report
from graphacct.verbs.model import Model
from graphacct.verbs.reported import tensors_of

if TYPE_CHECKING:
    from graphacct.reports.rows import ParameterRow


@checked(ReportKeywords)
def params(
    report: Report | Model, *, expand: bool = False, plugins: Plugins | None = None, **options: Unpack[ReportKeywords]
) -> tuple[ParameterRow, ...]:
    """Returns the tensors of a model's checkpoint, in the order of the model, tied ones and buffers marked.

    Args:
        report: A report, or a model.
        expand: Whether to list each repetition's tensors instead of `*` and a count.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`, of a model.

    Raises what `account` raises; ConfigError for options of a report, and if that would be more than a million tensors.
    """
    return tensors_of(report, expand, plugins or default(), options).by_parameter
