"""Pages in a real browser: Chromium, driven by playwright. Tests that need the two are skipped without them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-software-rasterizer"),
    "--disable-features=Translate,MediaRouter,OptimizationHints",
)


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, started."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: the extra browser has it"
    )
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=program, args=list(FLAGS))
        yield chromium
        chromium.close()


class Opened:
    """A page in the browser, with what went wrong on it."""

    def __init__(self, chromium: Any, path: Path, link: str = "", **options: Any) -> None:
        context = chromium.new_context(viewport={"width": 1400, "height": 900}, **options)
        self.tab = context.new_page()
        self.faults: list[str] = []
        self.tab.on("console", lambda message: self.faults.append(message.text))
        self.tab.on("pageerror", lambda error: self.faults.append(str(error)))
        self.tab.on("request", lambda request: self._note(request.url))
        self.tab.goto(f"{path.as_uri()}{link}")

    def _note(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            self.faults.append(f"request of {url}")

    def __call__(self, script: str, *arguments: Any) -> Any:
        """What a script returns on the page."""
        return self.tab.evaluate(script, *arguments)

    def texts(self, selector: str) -> list[str]:
        """The texts of elements."""
        return self.tab.locator(selector).all_text_contents()

    def part(self, path: str) -> int:
        """The number of the part of a path."""
        return self(f"PARTS.findIndex((part) => part.path === {path!r})")
