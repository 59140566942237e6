"""Columns of text: the tables that rich lays out, in a fiftieth of the time, and what becomes of too wide ones."""

from __future__ import annotations

from io import StringIO
from random import Random

from each import each
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from graphacct.render.columns import Column, length, shortened, widths, wrapped
from graphacct.render.fitting import LOOSE, TIGHT, Fit, fit
from graphacct.render.sheet_parts import Column as Title
from graphacct.render.sheet_parts import Line, Sheet
from graphacct.render.table import show, to_text

WORDS = ["a", "be", "gamma-delta", "h.*.attn.c_attn", "1,024", "— “quoted”", "weightᵀ", "→ ≥", "漢字", "é x̂", "x" * 45]


def by_rich(sheet: Sheet) -> str:
    """A sheet's table as rich lays it out where there is room."""
    table = Table(box=box.SIMPLE_HEAD, show_footer=sheet.total is not None, pad_edge=False)
    totals = sheet.total.cells if sheet.total else ("",) * len(sheet.columns)
    for title, total in zip(sheet.columns, totals, strict=True):
        table.add_column(Text(title.title), Text(total), justify="right" if title.number else "left")
    for line in sheet.lines:
        table.add_row(*map(Text, line.cells))
    file = StringIO()
    Console(file=file, width=2000, color_system=None, legacy_windows=False).print(table, crop=False)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def random_sheet(seed: int) -> Sheet:
    """A sheet of texts and numbers, with a total or without."""
    random = Random(seed)
    titles = tuple(
        Title(random.choice(["Name", "What it is", "FLOPs"]), random.random() < 0.4, rank=random.choice([0, 0, 1, 2]))
        for _ in range(random.randint(1, 5))
    )

    def line() -> Line:
        cells = (random.choices(WORDS[:5] if title.number else WORDS, k=random.randint(0, 9)) for title in titles)
        return Line(
            tuple(" ".join(cell[:1] if title.number else cell) for cell, title in zip(cells, titles, strict=True))
        )

    lines = tuple(line() for _ in range(random.randint(1, 6)))
    return Sheet("", "", titles, lines, line() if random.random() < 0.5 else None)


@each("seed", range(40))
def test_tables_that_fit_are_as_rich_lays_them_out(seed: int) -> None:
    """Whatever is in them."""
    sheet = random_sheet(seed)
    assert to_text(sheet, 2000) == by_rich(sheet)


@each("seed", range(40))
def test_tables_that_do_not_fit_are_no_wider_than_they_may_be(seed: int) -> None:
    """At each width every text of a column that stays is there, whole or in lines below each other."""
    sheet = random_sheet(seed)
    for width in (50, 80, 100, 160):
        drawn = to_text(sheet, width)
        assert max(map(length, drawn.splitlines())) <= width
        kept = [place for place, column in enumerate(sheet.columns) if not column.rank]
        letters = "".join(drawn.split())
        for line in sheet.lines:
            for place in kept:
                for word in line.cells[place].split():
                    assert word in drawn or word[:8] in letters


def test_the_widest_column_is_narrowed_first() -> None:
    """Of 10, 30 and 40 columns, which have 60 in all, the last two get 25; one that is kept stays."""
    wide = [Column(["x" * each], natural=each) for each in (10, 30, 40)]
    assert widths(wide, 60) == [10, 25, 25]
    assert widths(wide, 61) == [10, 26, 25]
    assert widths([Column(["x" * 30], natural=30, least=30), Column(["x" * 40], natural=40)], 40) == [30, 10]


def test_what_goes_first() -> None:
    """Bars, then space, then the column with the highest rank; those of rank 0 are put below each other at last."""
    columns = [Column([""], natural=10, least=10)] * 4
    ranks = [0, 2, 1, 0]
    assert fit(columns, ranks, 1, 12, 66) == Fit(((0, 1, 2, 3),), LOOSE, bars=True)
    assert fit(columns, ranks, 1, 12, 60) == Fit(((0, 1, 2, 3),), TIGHT, bars=True)
    assert fit(columns, ranks, 1, 12, 51) == Fit(((0, 1, 2, 3),), LOOSE)
    assert fit(columns, ranks, 1, 12, 46) == Fit(((0, 1, 2, 3),), TIGHT)
    assert fit(columns, ranks, 1, 12, 45) == Fit(((0, 2, 3),), LOOSE)
    assert fit(columns, ranks, 1, 12, 33) == Fit(((0, 3),), LOOSE)
    assert fit(columns, ranks, 1, 12, 33).missing(4) == [1, 2]
    assert fit(columns, ranks, 1, 12, 20) == Fit(((0, 3),), TIGHT)  # it cannot be narrower
    assert fit(columns, [0, 0, 0, 0], 2, 0, 34) == Fit(((0, 1, 2), (0, 1, 3)), TIGHT)


def test_a_column_that_is_less_needed_stays_where_a_wider_one_has_no_room() -> None:
    """A wide text of rank 1 goes, a narrow number of rank 2 does not."""
    columns = [Column([""], natural=each, least=each) for each in (10, 30, 8)]
    assert fit(columns, [0, 1, 2], 1, 0, 30) == Fit(((0, 2),), LOOSE)


def test_a_narrow_table_says_what_it_leaves_out_and_repeats_the_names_of_its_lines() -> None:
    """Chosen columns are put below each other, the others named."""
    titles = (Title("Name"), Title("First", True), Title("Second", True), Title("Third", True, rank=1))
    sheet = Sheet("", "", titles, (Line(("a", "1" * 12, "2" * 12, "3" * 12)),))
    first, second, rest = to_text(sheet, 20).strip().split("\n\n")
    assert first.splitlines() == ["Name         First", "─" * 18, "a     " + "1" * 12]
    assert second.splitlines() == ["Name        Second", "─" * 18, "a     " + "2" * 12]
    assert rest == "no room in 20\ncharacters for:\nThird"


def test_text_is_broken_between_words() -> None:
    """What is longer than a line is broken inside, after a dot or the like where one stands late enough."""
    assert wrapped("two words", 20) == ["two words"]
    assert wrapped("some more words", 10) == ["some more ", "words"]
    assert wrapped("abcdefghijkl m", 5) == ["abcde", "fghij", "kl m"]
    assert wrapped("layers.*.attn.c_attn", 12) == ["layers.*.", "attn.c_attn"]
    assert (length("漢字"), length("x̂"), length("λ→")) == (4, 1, 2)


def test_text_is_cut() -> None:
    """An ellipsis takes the place of what does not fit; a wide character takes two places."""
    assert shortened("graphacct-operators", 12) == "graphacct-o…"
    assert shortened("graphacct", 9) == "graphacct"
    assert shortened("a word", 3) == "a…"
    assert shortened("漢字漢字", 5) == "漢字…"


def test_a_terminal_has_colours() -> None:
    """The title is bold, a note dim, a small share green."""
    sheet = Sheet("Title", "of it", (Title("Name"), Title("Kind")), (Line(("a", "b"), share=0.01),), None, ("note",))
    file = StringIO()
    show(sheet, Console(file=file, force_terminal=True, width=100, color_system="standard"))
    assert "\x1b[1mTitle\x1b[0m\x1b[2m  of it\x1b[0m" in file.getvalue()
    assert "\x1b[2mnote\x1b[0m" in file.getvalue()
    assert "\x1b[36m" in file.getvalue()
