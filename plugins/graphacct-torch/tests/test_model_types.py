"""Rows of docs/model-types.md, measured again: some small ones, one of each kind of input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

transformers = pytest.importorskip("transformers")
CERTIFY = Path(__file__).parents[3] / "tests" / "certify"
NAMES = ("bert", "clip", "dia", "granitemoe", "hubert", "informer", "mimi", "qwen3_5", "reformer", "swin", "whisper")


@pytest.mark.parametrize("name", NAMES)
def test_a_row(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters and FLOPs, by graphacct, by torch's counter, and what that does not see."""
    content = json.loads((CERTIFY / "model_types.json").read_text(encoding="utf-8"))
    if transformers.__version__ != content["transformers"]:
        pytest.skip(f"the rows are of transformers {content['transformers']}")
    monkeypatch.syspath_prepend(str(CERTIFY))
    import model_types
    import types_page

    try:
        row = types_page.compact(name, model_types.row_of(name))
    finally:
        for module in ("model_types", "types_page", "completed", "shrink", "unseen"):
            sys.modules.pop(module)
    assert row == content["types"][name]
