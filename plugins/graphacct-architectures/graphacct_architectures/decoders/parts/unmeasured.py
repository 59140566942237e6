"""What is said of families whose class no library has."""

from __future__ import annotations

from typing import Any

from graphacct import Workload


def own_repository(config: Any, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns that no library's class was measured (a family's `inexact`)."""
    return ("saved tensors were not measured: the class stands in the model's own repository",)
