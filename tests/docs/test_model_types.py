"""docs/model-types.md is made of tests/certify/model_types.json, and what that says holds together.

plugins/graphacct-torch/tests/test_model_types.py measures some of its rows again, where there is torch.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CERTIFY = ROOT / "tests" / "certify"
CONTENT = json.loads((CERTIFY / "model_types.json").read_text(encoding="utf-8"))
ROWS: dict[str, dict[str, Any]] = CONTENT["types"]


def test_the_page_is_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make certify` writes both, and nobody else."""
    monkeypatch.syspath_prepend(str(CERTIFY))
    import types_page

    try:
        page = types_page.page(ROWS, CONTENT["transformers"])
    finally:
        sys.modules.pop("types_page"), sys.modules.pop("completed")
    assert (ROOT / "docs" / "model-types.md").read_text(encoding="utf-8") == page


def test_nine_types_of_ten_are_read() -> None:
    """Each of the others says why."""
    done = [row for row in ROWS.values() if row["stage"] == "done"]
    assert len(done) >= 0.9 * len(ROWS)
    assert len(done) >= 560
    assert all(row["error"] for row in ROWS.values() if row["stage"] != "done")


def test_flops_are_the_counters() -> None:
    """To the unit: what the counter says, and what it does not see."""
    done = {name: row for name, row in ROWS.items() if row["stage"] == "done"}
    assert len(done) > 500
    for name, row in done.items():
        assert row["flops"] == row["counter"] + row.get("unseen", 0), name
        assert bool(row.get("unseen")) <= bool(row.get("blind")), name
