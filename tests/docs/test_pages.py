"""Every page of the documentation runs, block by block, as a reader would type it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from each import each
from sybil import Document

sys.path.insert(0, str(Path(__file__).parent))  # pages.py is imported by name

from pages import ROOT, TORCH, pages, parse, run_page

RUNNING = [page for page in pages() if page.name not in TORCH]
RUN = (
    "README.md",
    "tutorial.md",
    "worksheet.md",
    "memory.md",
    "conventions.md",
    "mfu.md",
    "compare.md",
    "diff.md",
    "solve.md",
    "sweep.md",
    "writing-a-plugin.md",
    "python.md",
    "testing-a-plugin.md",
    *TORCH,
)
"""Pages that must have blocks to run: a page whose blocks all got another language would pass otherwise."""
_LINK = re.compile(r"(?<!`)\[[^\]]+\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", RUNNING, ids=[str(page.relative_to(ROOT)) for page in RUNNING])
def test_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block runs after the ones before it, in an empty folder, and gives what the page says.

    Where only a table's layout changed, `python tests/docs/refresh.py PAGE` writes what is printed now into the page.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    run_page(page)


@pytest.mark.parametrize("name", RUN)
def test_page_has_blocks(name: str) -> None:
    """A page that teaches by example has examples that run."""
    page = next(page for page in pages() if page.name == name)
    document: Document = parse(page)
    assert sum(example.region.lexemes.get("arguments") != "text" for example in document.examples()) >= 3


@each("page", pages())
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file of the repository, and its anchor a heading there."""
    for link in _LINK.findall(_FENCED.sub("", page.read_text(encoding="utf-8"))):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name} links to {link}, which does not exist"
        if anchor:
            assert anchor in _anchors(target), f"{page.name} links to {link}; headings there: {_anchors(target)}"


def _anchors(page: Path) -> set[str]:
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
