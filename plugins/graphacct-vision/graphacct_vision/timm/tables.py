"""Tables of timm's names: text files, in which an entry begins in a line's first column and may go on in indented ones.

    deep = stem=deep stem_width=32      # a word that stands for others
    resnet50d: bottleneck deep pooled   # a name; `word` alone is word=yes, unless it stands for others

Later entries may use the words and names of earlier ones, and what comes last in an entry counts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

HERE = os.path.dirname(__file__)
ENTRY = re.compile(r"(\S+?)(:| =) (.*)")
FLAGS = {"yes": True, "no": False}


def entries(table: str) -> Iterator[tuple[str, str, str]]:
    """Yields the word, `=` or `:` and the text of each entry of a table."""
    with open(os.path.join(HERE, f"{table}.txt"), encoding="utf-8") as file:
        lines = [line.partition("#")[0].rstrip() for line in file]
    joined: list[str] = []
    for line in filter(None, lines):
        if line[0].isspace():
            joined[-1] += f" {line.strip()}"
        else:
            joined.append(line)
    for line in joined:
        found = ENTRY.fullmatch(line)
        assert found, f"{table}.txt has no entry in {line!r}"
        yield found[1], found[2].strip(), found[3]


@cache
def settings(table: str) -> Mapping[str, Mapping[str, Any]]:
    """Returns what a table says of each name."""
    words: dict[str, dict[str, Any]] = {}
    names: dict[str, Mapping[str, Any]] = {}
    for word, sign, text in entries(table):
        own: dict[str, Any] = {}
        for part in text.split():
            key, equals, value = part.partition("=")
            own |= {key: parsed(value)} if equals else words.get(key, {key: True})
        words[word] = own
        if sign == ":":
            names[word] = own
    return names


def parsed(value: str) -> Any:
    """Returns a number, yes or no, several of them between commas, or the text."""
    if value in FLAGS:
        return FLAGS[value]
    if "," in value:
        return tuple(parsed(part) for part in value.split(",") if part)
    for number in (int, float):
        try:
            return number(value)
        except ValueError:
            continue
    return value


def plain(name: str) -> str:
    """Returns a name without the tag of its weights."""
    return name.partition(".")[0]
