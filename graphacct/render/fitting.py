"""What of a table fits: which columns there is room for, how far apart they stand, and whether there are bars.

Of what is too wide the bars go first, and space between the columns; then text is narrowed; then columns go, those with
the highest rank first. Those of rank 0 never go: if they alone are too wide they stand in several blocks, one below the
other, each of which begins with the columns that name a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from graphacct.render.columns import Column


@attrs.frozen
class Spacing:
    """The blanks of a table: between its columns, and at its edges."""

    between: int
    edge: int


LOOSE = Spacing(3, 1)
TIGHT = Spacing(2, 0)


@attrs.frozen
class Fit:
    """What a table shows.

    Attributes:
        blocks: The places of the columns of each block.
        spacing: The blanks between them.
        bars: Whether there are bars.
    """

    blocks: tuple[tuple[int, ...], ...]
    spacing: Spacing
    bars: bool = False

    def missing(self, count: int) -> list[int]:
        """Returns the places, of so many columns, that no block has."""
        shown = {place for block in self.blocks for place in block}
        return [place for place in range(count) if place not in shown]


def fit(columns: Sequence[Column], ranks: Sequence[int], heads: int, bar: int, total: int) -> Fit:
    """Returns what fits into so many characters.

    Args:
        columns: All columns of the table.
        ranks: How little each is needed; 0 for a column that stays.
        heads: How many of the first columns name a line, and begin each block.
        bar: The width of a bar; 0 for a table without bars.
        total: The width.
    """
    every = tuple(range(len(columns)))
    ranks = [*[0] * heads, *ranks[heads:]]
    wide = [column.natural for column in columns]
    least = [min(column.least, column.natural) for column in columns]
    for spacing in (LOOSE, TIGHT) if bar else ():
        if needed([*wide, bar], spacing) <= total:
            return Fit((every,), spacing, bars=True)
    for spacing in (LOOSE, TIGHT):
        if needed(wide, spacing) <= total:
            return Fit((every,), spacing)
    places = _needed_most(every, ranks, least, total)
    if needed([wide[place] for place in places], LOOSE) <= total:
        return Fit((places,), LOOSE)
    if needed([least[place] for place in places], TIGHT) <= total:
        return Fit((places,), TIGHT)
    return Fit(tuple(_blocks(places, heads, least, total)), TIGHT)


def needed(widths: Sequence[int], spacing: Spacing) -> int:
    """Returns how wide columns of these widths are beside each other."""
    return sum(widths) + spacing.between * (len(widths) - 1) + 2 * spacing.edge


def _needed_most(every: Sequence[int], ranks: Sequence[int], least: Sequence[int], total: int) -> tuple[int, ...]:
    """Returns the columns of rank 0, and of each further rank those that there is room for beside the ones before."""
    places: tuple[int, ...] = tuple(place for place in every if not ranks[place])
    for rank in sorted({*ranks} - {0}):
        more = tuple(place for place in every if place in places or ranks[place] == rank)
        if needed([least[place] for place in more], TIGHT) <= total:
            places = more
    return places


def _blocks(places: Sequence[int], heads: int, least: Sequence[int], total: int) -> Iterator[tuple[int, ...]]:
    """Yields the columns of each block: those that name a line, and as many of the others as there is room for."""
    first, rest = tuple(places[:heads]), places[heads:]
    block = first
    for place in rest:
        if len(block) > len(first) and needed([least[each] for each in (*block, place)], TIGHT) > total:
            yield block
            block = first
        block = (*block, place)
    yield block
