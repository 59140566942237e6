"""Columns of text: the tables that rich lays out, in a fiftieth of the time."""

from __future__ import annotations

from io import StringIO
from random import Random

import pytest
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from graphacct.render.columns import Column, length, widths, wrapped
from graphacct.render.sheet_parts import Column as Title
from graphacct.render.sheet_parts import Line, Sheet
from graphacct.render.table import LABEL, show, to_text

WORDS = ["a", "be", "gamma-delta", "h.*.attn.c_attn", "1,024", "— “quoted”", "weightᵀ", "→ ≥", "漢字", "é x̂", "x" * 45]


def by_rich(sheet: Sheet, width: int) -> str:
    """A sheet's table as rich lays it out."""
    table = Table(box=box.SIMPLE_HEAD, show_footer=sheet.total is not None, pad_edge=False)
    totals = sheet.total.cells if sheet.total else ("",) * len(sheet.columns)
    for place, (title, total) in enumerate(zip(sheet.columns, totals, strict=True)):
        longest = max(map(len, [total, *(line.cells[place] for line in sheet.lines)]))
        least = longest if title.whole else min(longest, LABEL) if title.number or not place else None
        justify = "right" if title.number else "left"
        table.add_column(Text(title.title), Text(total), justify=justify, overflow="fold", min_width=least)  # type: ignore[arg-type]
    for line in sheet.lines:
        table.add_row(*map(Text, line.cells))
    file = StringIO()
    Console(file=file, width=width, color_system=None, legacy_windows=False).print(table, crop=False)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


@pytest.mark.parametrize("seed", range(40))
def test_tables_are_as_rich_lays_them_out(seed: int) -> None:
    """Whatever is in them, and however wide they are."""
    random = Random(seed)
    titles = tuple(
        Title(random.choice(["Name", "What it is", "FLOPs"]), random.random() < 0.4, random.random() < 0.1)
        for _ in range(random.randint(1, 5))
    )

    def line() -> Line:
        counts = [random.randint(0, 2 if title.number else 9) for title in titles]
        return Line(tuple(" ".join(random.choices(WORDS, k=count)) for count in counts))

    lines = tuple(line() for _ in range(random.randint(1, 6)))
    sheet = Sheet("", "", titles, lines, line() if random.random() < 0.5 else None)
    width = random.choice([100, 120, 160])
    assert to_text(sheet, width) == by_rich(sheet, width)


def test_the_widest_column_is_narrowed_first() -> None:
    """Of 10, 30 and 40 columns, which have 60 in all, the last two get 25; one that is kept stays."""
    columns = [Column(["x" * 10]), Column(["x" * 30]), Column(["x" * 40])]
    assert widths(columns, [0, 0, 0], 60) == [10, 25, 25]
    assert widths([Column(["x" * 30], least=30), Column(["x" * 40])], [0, 0], 40) == [30, 20]


def test_text_is_broken_between_words() -> None:
    """What is longer than a line is broken inside."""
    assert wrapped("two words", 20) == ["two words"]
    assert wrapped("some more words", 10) == ["some more ", "words"]
    assert wrapped("abcdefghijkl m", 5) == ["abcde", "fghij", "kl m"]
    assert (length("漢字"), length("x̂"), length("λ→")) == (4, 1, 2)


def test_a_terminal_has_colours() -> None:
    """The title is bold, a note dim, a small share green."""
    sheet = Sheet("Title", "of it", (Title("Name"), Title("Kind")), (Line(("a", "b"), share=0.01),), None, ("note",))
    file = StringIO()
    show(sheet, Console(file=file, force_terminal=True, width=100, color_system="standard"))
    assert "\x1b[1mTitle\x1b[0m\x1b[2m  of it\x1b[0m" in file.getvalue()
    assert "\x1b[2mnote\x1b[0m" in file.getvalue()
    assert "\x1b[36m" in file.getvalue()
