"""HTML for Jupyter."""

from __future__ import annotations

from html.parser import HTMLParser

import hostile
import partial

from graphacct import Report, account


class _Reader(HTMLParser):
    """Collects the tags, and the text of each cell."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(report._repr_html_())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_report_shows_as_a_table() -> None:
    """The table has the scopes, the totals and the terms."""
    reader = _Reader(account("gpt2-xl", attention="eager", seq_len=1024))
    assert {"gpt2-xl", "h ×48", "3.52 TFLOP", "convention exact; 31 of 31 nodes costed"} <= set(reader.texts)


def test_an_incomplete_report_says_so() -> None:
    """What is missing stands below, and in the line of totals."""
    texts = _Reader(partial.report()).texts
    assert "Total (29 of 31 nodes)" in texts
    assert any(text.startswith("incomplete: 29 of 31 nodes") for text in texts)


def test_names_cannot_become_tags() -> None:
    """A hostile name gives the tags and attributes that a tame one gives, and is shown as it is."""
    tame, wild = _Reader(account("gpt2", attention="eager")), _Reader(hostile.report())
    assert (wild.tags, wild.attributes) == (tame.tags, tame.attributes)
    assert "-cmd|' /C calc'!A0" in wild.texts
    assert any(text.startswith('<script>alert("x")</script>') for text in wild.texts)
