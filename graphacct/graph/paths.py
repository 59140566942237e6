"""Paths: the names of nodes, parameters and scopes, read part by part.

A path's parts stand between dots: `transformer.h.*.attn.c_attn`. An index, a number or the `*` that stands for one,
belongs to the part before it: `transformer.h.*` is one scope, in `transformer`.

Where a block's repetitions are not all of the layers, the `*` says which: `*+3` is the fourth layer and those after it,
`6*+5` every sixth from index 5 on. In repetition i it stands for 6 i + 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from graphacct.dims import Dim
from graphacct.errors import GraphError, brief

MOST_LEVELS = 1000
"""The most parts of a name: each is a scope, and a row of a report."""
REMEMBERED = 4096
"""How many paths a function here remembers: the rows of a report ask for the same ones, node by node."""
_STAR = r"(\d*)\*(?:\+(\d+))?"  # compiled by `re` when it is first used, which a plain report does not


def check_levels(name: str) -> None:
    """Raises GraphError for a node's name of too many parts."""
    levels = name.count(".") + 1
    if levels > MOST_LEVELS:
        raise GraphError(f"node {brief(name)} has a name of {levels:,} parts: at most {MOST_LEVELS:,}, shorten it")


def star(step: int = 1, offset: int = 0) -> str:
    """Returns the `*` of the layers with the indices offset, offset + step, offset + 2 step, …"""
    return f"{step if step != 1 else ''}*{f'+{offset}' if offset else ''}"


@lru_cache(REMEMBERED)
def is_index(part: str) -> bool:
    """Returns whether a part of a path is an index, or a `*` that stands for some."""
    return part == "*" or part.isdigit() or ("*" in part and re.fullmatch(_STAR, part) is not None)


@lru_cache(REMEMBERED)
def index_of(part: str, repetition: int) -> int:
    """Returns the index that a `*` stands for in a repetition."""
    match = re.fullmatch(_STAR, part)
    assert match is not None
    return int(match[1] or 1) * repetition + int(match[2] or 0)


@lru_cache(REMEMBERED)
def pattern(path: str) -> str:
    """Returns a path with its indices written as `*`: `h.0.attn` and `h.*.attn` are the same row of a report."""
    scope, dot, last = path.rpartition(".")
    return f"{_scope_pattern(scope)}{dot}{'*' if is_index(last) else last}"


@lru_cache(REMEMBERED)
def _scope_pattern(scope: str) -> str:
    """Returns the pattern of a scope, which its nodes and parameters share."""
    return ".".join(["*" if is_index(part) else part for part in scope.split(".")])


def covers(path: str, repeats: Sequence[Dim], other: str, starts: Sequence[int] = ()) -> bool:
    """Returns whether a path inside blocks stands for another, which has indices in place of some `*`. The blocks begin
    at index 0 unless `starts` says otherwise.

    >>> covers("h.*+1.attn", (3,), "h.3.attn"), covers("h.*+1.attn", (3,), "h.0.attn")
    (True, False)
    """
    parts, others = path.split("."), other.split(".")
    if len(parts) != len(others):
        return False
    left, firsts = iter(repeats), iter(starts)
    for part, found in zip(parts, others, strict=True):
        repeat, start = (next(left, 1), next(firsts, 0)) if "*" in part else (1, 0)
        if part != found and not ("*" in part and found.isdigit() and _within(part, repeat, int(found), start)):
            return False
    return True


def _within(part: str, repeat: Dim, index: int, start: int) -> bool:
    """Returns whether a `*` stands for an index in any repetition. A symbolic number of them has the first one."""
    first = index_of(part, start)
    step = index_of(part, start + 1) - first
    return (
        index >= first
        and (index - first) % step == 0
        and (index - first) // step < (repeat if type(repeat) is int else 1)
    )


def indexed(path: str, indices: Sequence[int]) -> str:
    """Returns a path with its leading `*`s replaced by what they stand for in repetitions, outermost first."""
    if "*" not in path:
        return path
    written, known = "", len(indices)
    for level, (before, star, step, offset) in enumerate(_stars(path)):
        written += f"{before}{step * indices[level] + offset if star and level < known else star}"
    return written


@lru_cache(REMEMBERED)
def _stars(path: str) -> tuple[tuple[str, str, int, int], ...]:
    """Returns for each `*` of a path what is before it, it, its step and its offset; and what is after the last, with
    no `*`."""
    found, end = [], 0
    for match in re.finditer(_STAR, path):
        found.append((path[end : match.start()], match[0], int(match[1] or 1), int(match[2] or 0)))
        end = match.end()
    return (*found, (path[end:], "", 0, 0))


@lru_cache(REMEMBERED)
def parent(path: str) -> str:
    """Returns the scope around a path, empty for none: of `h.*.attn` it is `h.*`."""
    head, _, last = path.rpartition(".")
    return head.rpartition(".")[0] if is_index(last) else head


def last(path: str) -> str:
    """Returns the end of a path that names it in its scope: of `transformer.h.*` it is `h.*`."""
    head, _, tail = path.rpartition(".")
    if head and is_index(tail):
        return f"{head.rpartition('.')[2]}.{tail}"
    return tail or path


def outward(path: str) -> Iterator[str]:
    """Yields the path, then each scope around it, the outermost last."""
    while path:
        yield path
        path = parent(path)


@lru_cache(REMEMBERED)
def depth(path: str) -> int:
    """Returns how many scopes stand around a pattern's path; an index does not count, but the second of two in a row.

    >>> depth("layers.*.mlp"), depth("input_proj.*.*")
    (1, 1)
    """
    return sum(1 for _ in outward(path)) - 1


def repetition(path: str) -> str:
    """Returns the path up to its last index, which is the repetition that a node belongs to; empty for none.

    `layers.*.ln1` in a block and `layers.3.ln1` written out are alike the nodes of one repetition.
    """
    parts = path.split(".")
    while parts and not is_index(parts[-1]):
        parts.pop()
    return ".".join(parts)


def outermost(path: str) -> str:
    """Returns the path up to its first index, a whole layer; empty for none."""
    parts = path.split(".")
    first = next((place for place, part in enumerate(parts) if is_index(part)), None)
    return "" if first is None else ".".join(parts[: first + 1])


def instances(path: str, repeats: Sequence[Dim]) -> Dim:
    """Returns how many things a path inside blocks stands for: one `*`, one index, outermost block first."""
    result: Dim = 1
    for repeat in repeats[: path.count("*")]:
        result = result * repeat
    return result


def merged(orders: Iterable[Sequence[str]]) -> list[str]:
    """Returns all names: the first order's, then each other order's own, inserted after the names that they follow
    there."""
    result: list[str] = []
    for order in orders:
        known = set(result)
        new: dict[str, list[str]] = {}
        last = ""
        for name in order:
            if name in known:
                last = name
            else:
                new.setdefault(last, []).append(name)
        result = [*new.get("", ()), *(item for name in result for item in (name, *new.get(name, ())))]
    return result
