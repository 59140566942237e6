"""What the parts of a page have in common, written once: a network has hundreds of nodes of a few dozen kinds.

Nodes of a kind have the same operator, figures and formulas, and tensors that differ by where they come from. A path is
the scope's and a name; a tensor's name begins with the path of a node. `parts.js` puts all of it together again.

    down_blocks.0.attentions.0.proj_in, whose x comes from part 30, and whose weight is its own:
    {"name": "conv2", "in": 22, "of": 14, "from": [30]}, with the kind 14:
    {"operator": "convolution", "operands": [["x", null, …], ["weight", ".weight", …]], …}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

COMMON = ("operator", "figures", "runs", "small", "uncosted", "shape", "dtype", "owned")
"""What nodes of a kind have in common as it stands."""


def shared(parts: Sequence[Json], explained: Sequence[Json]) -> Json:
    """Returns the parts, what the nodes of each kind have in common, and the formulas of these.

    Args:
        parts: The parts, each with all that is said of it.
        explained: The formulas that parts refer to, with the size behind each of their names.
    """
    sharing = _Sharing({part["path"]: number for number, part in reversed([*enumerate(parts)])}, explained)
    found = [sharing.node(part) if "figures" in part else {**part} for part in parts]
    for part, own in zip(parts, found, strict=True):
        around = parts[part["in"]]["path"]
        if part["path"] == (f"{around}.{part['name']}" if around else part["name"]):
            del own["path"]
    return {"parts": found, "kinds": sharing.kinds.values, "formulas": sharing.formulas.values}


class Table:
    """Values, each of them once.

    Attributes:
        values: The values.
    """

    def __init__(self) -> None:
        self.values: list[Json] = []
        self._places: dict[str, int] = {}

    def place(self, value: Json) -> int:
        """Returns the place of a value, which is added if it is new."""
        key = repr(value)
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]


class _Sharing:
    """The state of writing the nodes of one page.

    Attributes:
        kinds: What the nodes of each kind have in common.
        formulas: The formulas of kinds.
    """

    def __init__(self, numbers: dict[str, int], explained: Sequence[Json]) -> None:
        self.numbers, self.explained = numbers, explained
        self.kinds, self.formulas = Table(), Table()

    def node(self, part: Json) -> Json:
        """Returns what a node has for itself."""
        path, elsewhere = part["path"], list[Any]()

        def told(name: str) -> str | int | None:
            """Returns a name as a kind has it: what follows the path of the node; 0 if it is empty; None for one from
            elsewhere, which the node itself has."""
            if not name:
                return 0
            if (own := _after(name, path)) is not None:
                return own
            elsewhere.append(self._elsewhere(name))
            return None

        kind = {key: part[key] for key in COMMON if key in part}
        for key in ("operands", "gives"):
            if key in part:
                kind[key] = [[label, told(name), *spec] for label, name, *spec in part[key]]
        if "work" in part:
            kind["work"] = [
                [quantity, of, subject if (own := _after(subject, path)) is None else [own], *rest]
                for quantity, of, subject, *rest in part["work"]
            ]
        if "kept" in part:
            kind["kept"] = [
                [label, told(source), why, told(counted), size] for label, source, why, counted, size in part["kept"]
            ]
        if "explained" in part:
            found = self.explained[part["explained"]]
            kind["formulas"] = self.formulas.place(found["formulas"])
            kind["names"] = found["names"]
        itself: Json = {key: part[key] for key in ("name", "path", "in", "mark") if key in part}
        return {**itself, "of": self.kinds.place(kind), **({"from": elsewhere} if elsewhere else {})}

    def _elsewhere(self, name: str) -> Any:
        """Returns a name that begins with another node's path as the number of that part, with what follows it; else
        the name itself."""
        end = len(name)
        while end > 0:
            if name[:end] in self.numbers and (end == len(name) or name[end] in ".:"):
                return self.numbers[name[:end]] if end == len(name) else [self.numbers[name[:end]], name[end:]]
            end = max(name.rfind(".", 0, end), name.rfind(":", 0, end))
        return name


def _after(name: str, path: str) -> str | None:
    """Returns what follows a path in a name; None if the name is not one of the path's own."""
    rest = name[len(path) :] if path and name.startswith(path) else None
    return rest if rest is not None and rest[:1] in ("", ".", ":") else None
