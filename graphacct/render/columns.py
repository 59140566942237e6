"""Columns of text: how wide each one is, and what stands in each of its lines.

Columns that are too wide together become narrower, the widest first, until they fit. Their text wraps between words, or
is cut and ends with an ellipsis. Which columns there is room for is decided in `fitting.py`.
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
JOINTS = "._/-,=:("
"""Characters after which a long word is broken."""
ELLIPSIS = "…"
FEWEST = 8
"""Characters of a text's line in a table that is narrower than its columns can be."""


@attrs.frozen(eq=False, repr=False)
class Column:
    """A column of a table.

    Attributes:
        cells: Its texts, the title first.
        right: Whether numbers stand in it, at the right.
        cut: Whether a text that is too long is cut; others wrap.
        natural: Its width if there is room.
        least: Its least width.
    """

    cells: Sequence[str]
    right: bool = False
    cut: bool = False
    natural: int = 0
    least: int = 0


def widths(columns: Sequence[Column], total: int) -> list[int]:
    """Returns how wide columns are that have so much in all: as wide as they would be, or the widest ones narrowed,
    none below its least width unless there is no other way."""
    natural = [column.natural for column in columns]
    if sum(natural) <= total:
        return natural
    least = [min(column.least, column.natural) for column in columns]
    if sum(least) > total:  # a number beside a long name
        least = [floor if column.right else min(floor, FEWEST) for column, floor in zip(columns, least, strict=True)]
    level = max(natural)
    while level > 1 and sum(_levelled(natural, least, level)) > total:
        level -= 1
    found = _levelled(natural, least, level)
    spare = total - sum(found)
    for place, wanted in enumerate(natural):  # what is left after an even division
        if spare > 0 and found[place] == level < wanted:
            found[place] += 1
            spare -= 1
    return found


def _levelled(natural: Sequence[int], least: Sequence[int], level: int) -> list[int]:
    return [max(min(wanted, level), floor) for wanted, floor in zip(natural, least, strict=True)]


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


def shortened(text: str, width: int) -> str:
    """Returns a text on one line: cut, with an ellipsis at its end, if it is longer than `width`."""
    if length(text) <= width:
        return text
    used, kept = 1, []
    for character in text:
        used += length(character)
        if used > width:
            break
        kept.append(character)
    return "".join(kept).rstrip() + ELLIPSIS


def longest_line(text: str) -> int:
    """Returns the width of the longest line of a text."""
    return length(text) if "\n" not in text else max(map(length, text.split("\n")))


def longest_word(text: str) -> int:
    """Returns the width of the longest word of a text, which a narrow column breaks at the earliest."""
    return max(map(length, text.split()), default=0)


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
    """Returns a word that is longer than a line in parts that are not: broken after a dot or the like where one stands
    in the second half of a line, `transformer.h.*.attn.` and `c_attn`."""
    if not SINGLE.fullmatch(word):
        from rich.cells import chop_cells

        return chop_cells(word, width)
    parts, start = [], 0
    while len(word) - start > width:
        line = word[start : start + width]
        end = max(map(line.rfind, JOINTS)) + 1
        parts.append(line[:end] if 2 * end > width else line)
        start += len(parts[-1])
    return [*parts, word[start:]]
