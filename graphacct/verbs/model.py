"""What a verb takes as a model, and what it refuses beside a report."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from graphacct.errors import ConfigError, brief
from graphacct.reports.report import Report

Model: TypeAlias = object
"""A model: a preset's or an architecture's name (`gpt2-xl`), a path that a reader accepts, `module:function` (a
function that returns a Graph), a Graph, what `find_model` found, or an object that a reader takes: a networkx graph, a
configuration as a dict or as an object of the transformers library, whatever a plugin reads. Only the readers know
which, so that no type is refused here."""


def check_no_options(report: Report, options: Mapping[str, Any]) -> None:
    """Raises ConfigError for options beside a report, which was made without them."""
    if options:
        raise ConfigError(
            f"{', '.join(options)}: {brief(report.model)} is a report already; give the model, or leave them out"
        )
