"""The tensors of a checkpoint: names, shapes and dtypes, as plain records and as a sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphacct.errors import ConfigError
from graphacct.render.records import parameters
from graphacct.reports.unrolled import unrolled

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins
    from graphacct.reports.report import Report

SCHEMA = "graphacct.params/1"
MOST = 1_000_000
"""The most tensors that are written out one by one; a model has thousands."""


def expanded(report: Report, plugins: Plugins | None = None) -> Report:
    """Returns the report of the same model with all repetitions written out, so that each tensor has its own name.

    Raises ConfigError if that would be more than a million tensors, or if a block repeats a symbolic number of times.
    """
    counts = [row.count for row in report.by_parameter]
    if not all(isinstance(count, int) for count in counts):
        raise ConfigError(f"{report.model!r} has a block that repeats a symbolic number of times: give a number")
    if sum(counts) + len(report.annotated.costs) > MOST:
        raise ConfigError(
            f"{sum(counts):,} tensors are too many to write out (at most {MOST:,}): leave expand=True out"
        )
    return unrolled(report, plugins)


def to_dict(report: Report) -> dict[str, Any]:
    """Returns the checkpoint as plain values: see docs/json.md."""
    total = {name: report.total[name] for name in ("params", "param_bytes") if name in report.total}
    rows = parameters(report)
    counts = [row["count"] for row in rows]
    return {
        "schema": SCHEMA,
        "model": report.model,
        "total": {"tensors": sum(counts) if all(isinstance(count, int) for count in counts) else None, **total},
        "tensors": rows,
    }
