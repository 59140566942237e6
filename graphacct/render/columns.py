"""Columns of text: how wide each one is, and what stands in each of its lines.

Columns that are too wide together become narrower, the widest first, until they fit, and their text wraps between
words. That is what the tables of rich look like, which takes fifty times as long for a thousand rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

import attrs

SINGLE = re.compile(r"[ -~\xa0-\xac\xae-\u02ff\u0370-\u0482\u1d2c-\u1d6a\u2010-\u2027\u2190-\u2311\u2500-\u25fc]*")
"""Text of which each character is one wide; for other text rich has the tables."""
ACCENT = re.compile(r"[\u0300-\u036f]")
"""Characters that stand above or below the one before."""
WORD = re.compile(r"\s*\S+\s*")


@attrs.frozen(eq=False, repr=False)
class Column:
    """A column of a table.

    Attributes:
        cells: Its texts, the title first.
        right: Whether numbers stand in it, at the right.
        least: Its least width; 0 for text that may wrap.
        fixed: Its width, if that does not depend on its cells; 0 for others.
    """

    cells: Sequence[str]
    right: bool = False
    least: int = 0
    fixed: int = 0


def widths(columns: Sequence[Column], paddings: Sequence[int], total: int) -> list[int]:
    """Returns how wide columns are that have so much in all, each with the blanks that belong to it."""
    natural = [
        padding + column.fixed
        if column.fixed
        else max(min(padding + max(map(_longest_line, column.cells)), total), padding + column.least)
        for column, padding in zip(columns, paddings, strict=True)
    ]
    found = _narrowed(natural, [not column.fixed for column in columns], total)
    if found is natural:
        return natural
    return [
        min(wanted, width) if column.fixed or not column.least else max(min(wanted, width), column.least + padding)
        for column, padding, wanted, width in zip(columns, paddings, natural, found, strict=True)
    ]


def wrapped(text: str, width: int) -> list[str]:
    """Returns text in lines that are not longer than `width`: broken between words, and inside of what is longer than a
    line."""
    lines = []
    for line in text.split("\n"):
        places = [0, *_breaks(line, width), len(line)] if length(line) > width else [0, len(line)]
        lines += [line[start:end] for start, end in pairwise(places)]
    return lines


@lru_cache(maxsize=8192)
def length(text: str) -> int:
    """Returns how many characters of a terminal a text takes."""
    if text.isascii() or SINGLE.fullmatch(text):
        return len(text)
    if SINGLE.fullmatch(plain := ACCENT.sub("", text)):
        return len(plain)
    from rich.cells import cell_len

    return cell_len(text)


def placed(text: str, width: int, right: bool) -> str:
    """Returns a line at the left or right of its column."""
    text = text.rstrip() if right or length(text) > width else text
    blanks = " " * (width - length(text))
    return blanks + text if right else text + blanks


def _narrowed(natural: list[int], free: Sequence[bool], total: int) -> list[int]:
    """Returns widths that are not wider than `total` together, the widest of the free ones narrowed first."""
    found, excess = natural, sum(natural) - total
    while excess > 0:
        levels = sorted({width for width, may in zip(found, free, strict=True) if may}, reverse=True)
        if not levels or not levels[0]:
            break
        step = levels[0] - (levels[1] if len(levels) > 1 else 0)
        widest = [may and width == levels[0] for width, may in zip(found, free, strict=True)]
        found = _reduced(found, widest, excess, step)
        excess = sum(found) - total
    return found if excess <= 0 else _reduced(found, [width > 0 for width in found], excess, excess)


def _reduced(given: Sequence[int], chosen: Sequence[bool], excess: int, most: int) -> list[int]:
    """Returns widths with an excess taken from those that are chosen, evenly, but from none more than `most`."""
    left, found = sum(chosen), []
    for width, one in zip(given, chosen, strict=True):
        taken = min(width, most, round(excess / left)) if one else 0
        excess, left = excess - taken, left - one
        found.append(width - taken)
    return found


def _longest_line(text: str) -> int:
    return length(text) if "\n" not in text else max(map(length, text.split("\n")))


def _breaks(line: str, width: int) -> Iterator[int]:
    """Yields the places where a line is broken."""
    used = 0
    for match in WORD.finditer(line):
        word, start = match[0], match.start()
        needed = length(word.rstrip())
        if needed <= width - used:
            used += length(word)
        elif needed <= width:
            if start:
                yield start
            used = length(word)
        else:
            parts = _parts(word, width)
            for part in parts:
                if start:
                    yield start
                start += len(part)
            used = length(parts[-1])


def _parts(word: str, width: int) -> list[str]:
    """Returns a word that is longer than a line in parts that are not."""
    if SINGLE.fullmatch(word):
        return [word[start : start + width] for start in range(0, len(word), width)]
    from rich.cells import chop_cells

    return chop_cells(word, width)
