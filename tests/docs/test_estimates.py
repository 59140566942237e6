"""docs/estimates.md says what graphacct says; `make estimates` writes it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import graphacct

sys.path.insert(0, str(Path(__file__).parents[1] / "estimates"))  # write_page.py is imported by name

from write_page import INTRODUCTION, PAGE, names, row

TEXT = PAGE.read_text(encoding="utf-8")
LINES = {line.split("`")[1]: line for line in TEXT.splitlines() if line.startswith("| `")}


def test_the_text_is_the_scripts() -> None:
    assert TEXT.startswith(INTRODUCTION)


def test_every_row_is_of_a_preset() -> None:
    """Nearly all presets of texts have one; `make estimates` adds those that are new."""
    assert {*LINES} <= {*names()}
    assert len(LINES) > 150


@pytest.mark.parametrize(
    "name", ["gpt2", "llama-3-8b", "mixtral-8x7b", "transformer-lm-xl", "mamba-130m", "albert-base-v2"]
)
def test_a_row_is_what_is_counted(name: str) -> None:
    found = next(each for each in LINES if each.startswith(name))
    assert row(found).text == LINES[found]


def test_llama_at_8192_tokens() -> None:
    asked = {"phase": "train", "quantities": ["params", "step_flops"]}
    total = graphacct.account("llama-3-8b", seq_len=8192, **asked).total  # type: ignore[arg-type]
    error = 1 - 6 * 8192 * total["params"] / total["step_flops"]
    assert re.search(rf"at 8,192 tokens 6 N is {100 * error:.2f} % too small", TEXT)
