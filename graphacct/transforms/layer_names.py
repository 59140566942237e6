"""Names of layers: paths read as a form and the indices in it.

`layers.3.attn.experts.0` is the form `layers.#.attn.experts.#` and the indices (3, 0). Names of one form are those of
one node in different repetitions if a single index differs, by the same step each time.

In the body of a block a name has one `*` for each block around it, and only the indices after the last `*` may become
another: the first `*` of a name belongs to the outermost block.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from graphacct.graph.paths import star

MARK = "#"


@attrs.frozen(eq=False)
class Form:
    """A path with its indices marked.

    Attributes:
        path: The path.
        parts: Its parts.
        text: The path with a mark for each index; the path itself if none of its indices may become a `*`.
        places: Which parts are such indices.
        indices: Their values.
    """

    path: str
    parts: tuple[str, ...]
    text: str
    places: tuple[int, ...]
    indices: tuple[int, ...]

    def with_star(self, place: int, step: int, offset: int) -> str:
        """Returns the path with the `*` of the layers offset, offset + step, … in place of one of its indices."""
        parts = list(self.parts)
        parts[self.places[place]] = star(step, offset)
        return ".".join(parts)

    def scope(self, place: int) -> str:
        """Returns the path before one of its indices: of the second in `h.0.experts.3.fc` it is `h.0.experts`."""
        return ".".join(self.parts[: self.places[place]])


class Forms:
    """The forms of the names in a body with so many blocks around it, each read once."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self._known: dict[str, Form] = {}

    def of(self, path: str) -> Form:
        """Returns the form of a name."""
        form = self._known.get(path)
        if form is None:
            form = self._known[path] = self._read(path)
        return form

    def _read(self, path: str) -> Form:
        parts = tuple(path.split("."))
        stars = [place for place, part in enumerate(parts) if "*" in part]
        if len(stars) != self._blocks or path.count("*") != len(stars):
            return Form(path, parts, path, (), ())
        first = stars[-1] + 1 if stars else 0
        places = tuple([place for place in range(first, len(parts)) if _is_index(parts[place])])
        if not places:
            return Form(path, parts, path, (), ())
        marked = list(parts)
        for place in places:
            marked[place] = MARK
        return Form(path, parts, ".".join(marked), places, tuple([int(parts[place]) for place in places]))


def _is_index(part: str) -> bool:
    """Returns whether a part is a number as an index writes it: `01` is none, it would come back as `1`."""
    return part.isascii() and part.isdigit() and len(part) < 19 and (part == "0" or part[0] != "0")


def growth(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Returns by how much each of the indices grows from one repetition to the next."""
    return [after - before for before, after in zip(first, second, strict=True)]
