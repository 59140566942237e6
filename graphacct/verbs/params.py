"""The verb for the tensors of a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import (
    NoKeywords,
    checked,
)
from graphacct.reports.report import Report
from graphacct.verbs.model import Model
from graphacct.verbs.reported import tensors_of

if TYPE_CHECKING:
    from graphacct.reports.rows import ParameterRow


@checked(NoKeywords)
def params(report: Report | Model, *, expand: bool = False, plugins: Plugins | None = None) -> tuple[ParameterRow, ...]:
    """Returns the tensors of a model's checkpoint, in the order of the model, tied ones and buffers marked.

    Args:
        report: A report, or a model, which is accounted for with the default options.
        expand: Whether to list each repetition's tensors instead of `*` and a count.
        plugins: Those in use; all that are installed unless given.

    Raises ConfigError if that would be more than a million tensors.
    """
    return tensors_of(report, expand, plugins or default()).by_parameter
