"""Two models side by side in Chromium: what differs is marked, and the two follow each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromium
import pytest
from chromium import Opened

import graphacct
from graphacct.render.units import human


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium.browser() as started:
        yield started


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a diff, written."""
    found = tmp_path_factory.mktemp("diff") / "diff.html"
    graphacct.diff("llama-2-7b", "llama-3-8b", seq_len=2048).draw(found)
    return found


def test_what_differs_is_marked_in_both(browser: Any, path: Path) -> None:
    """By a sign before the name; the panel has the figures before and after."""
    page = Opened(browser, path)
    page.tab.wait_for_timeout(300)
    one, other = page.tab.frames[1:]
    assert one.locator("h1").all_text_contents() == ["llama-2-7b"]
    assert other.locator("h1").all_text_contents() == ["llama-3-8b"]
    for frame in (one, other):
        assert {"± k_proj", "q_proj"} <= set(frame.locator("#world text").all_text_contents())
    number = other.evaluate("PARTS.findIndex((part) => part.name === 'k_proj')")
    other.evaluate(f"select({number})")
    name = "model.layers.*.self_attn.k_proj"
    before, after = (
        graphacct.account(each, seq_len=2048)[name].values["flops"] for each in ("llama-2-7b", "llama-3-8b")
    )
    told = other.locator("#details").inner_text()
    assert "± differs" in told
    assert f"{human(before, 'FLOP')} → {human(after, 'FLOP')}" in told
    assert page.faults == []


def test_one_frame_follows_the_other(browser: Any, path: Path) -> None:
    """What is chosen, opened and coloured at the left is at the right too."""
    page = Opened(browser, path)
    page.tab.wait_for_timeout(300)
    one, other = page.tab.frames[1:]
    one.evaluate("recolour('params'); reveal(PARTS.findIndex((part) => part.name === 'cos_table'))")
    page.tab.wait_for_timeout(300)
    assert other.evaluate("state.color") == "params"
    assert other.locator("#details h2").all_text_contents() == ["cos_table"]
    assert "cos_table" in other.locator("#world text").all_text_contents()
    assert page.faults == []


def test_its_policy_names_all_its_scripts(path: Path) -> None:
    """Those of the frames too, and nothing else."""
    text = path.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.count("'sha256-") == 6
    assert "unsafe" not in policy
    assert len(text.encode()) < 400_000
