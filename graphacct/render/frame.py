"""A report as a table of pandas."""

from __future__ import annotations

from typing import Any

from graphacct.errors import RenderError
from graphacct.reports.report import Report


def frame(report: Report, by: str = "scope") -> Any:
    """Returns the records of a report, by `scope`, `operator`, `parameter` or `node`, as a pandas DataFrame; integers
    beyond 64 bits are Python's own there. Raises RenderError where pandas is not installed."""
    try:
        import pandas
    except ImportError as error:
        raise RenderError(
            f"a frame needs pandas ({error}): pip install 'graphacct[frame]', or take report.records()"
        ) from error
    return pandas.DataFrame(report.records(by))
