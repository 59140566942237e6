"""Paths: the names of nodes, parameters and scopes, read part by part.

A path's parts stand between dots: `transformer.h.*.attn.c_attn`. An index, a number or the `*` that stands for one,
belongs to the part before it: `transformer.h.*` is one scope, in `transformer`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from graphacct.dims import Dim

_INDEX = re.compile(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.|$)")


def pattern(path: str) -> str:
    """A path with its indices written as `*`: `h.0.attn` and `h.*.attn` are the same row of a report."""
    return _INDEX.sub("*", path)


def indexed(path: str, indices: Iterable[int]) -> str:
    """A path with its leading `*`s replaced by the indices, outermost first."""
    for index in indices:
        path = path.replace("*", str(index), 1)
    return path


def parent(path: str) -> str:
    """The scope around a path, empty for none: of `h.*.attn` it is `h.*`."""
    head, _, last = path.rpartition(".")
    return head.rpartition(".")[0] if last == "*" or last.isdigit() else head


def last(path: str) -> str:
    """The end of a path that names it in its scope: of `transformer.h.*` it is `h.*`."""
    head, _, tail = path.rpartition(".")
    if head and (tail == "*" or tail.isdigit()):
        return f"{head.rpartition('.')[2]}.{tail}"
    return tail or path


def outward(path: str) -> Iterator[str]:
    """The path, then each scope around it, the outermost last."""
    while path:
        yield path
        path = parent(path)


def depth(path: str) -> int:
    """How many scopes stand around a pattern's path; an index does not count."""
    return sum(part != "*" for part in path.split(".")) - 1


def repetition(path: str) -> str:
    """The path up to its last index, which is the repetition that a node belongs to; empty for none.

    `layers.*.ln1` in a block and `layers.3.ln1` written out are alike the nodes of one repetition.
    """
    parts = path.split(".")
    while parts and parts[-1] != "*" and not parts[-1].isdigit():
        parts.pop()
    return ".".join(parts)


def instances(path: str, repeats: Sequence[Dim]) -> Dim:
    """How many things a path inside blocks stands for: one `*`, one index, outermost block first."""
    result: Dim = 1
    for repeat in repeats[: path.count("*")]:
        result = result * repeat
    return result
