"""Whole modules that are trained beside adapters: peft's `modules_to_save`.

peft keeps such a module as it is, frozen, beside a copy that runs and is trained (peft, `utils/other.py`,
ModulesToSaveWrapper and _set_trainable). A name stands for every module whose path ends with it, letter by letter; of
modules inside one another the outermost is copied. No adapter stands beside a matrix of such a module.
"""

from collections.abc import Sequence

from graphacct import ConfigError, Graph, Parameter, Replacement, brief, evolve, suggest

COPY = "modules_to_save.default"
ORIGINAL = "original_module"


class SavedModules:
    """The modules of a graph that are copied and trained.

    Attributes:
        copies: The name of each of their parameters, with that of its copy.
    """

    def __init__(self, graph: Graph, names: Sequence[str]) -> None:
        """Raises ConfigError if none of the names is a module's, or if one names a single layer of several."""
        names = separate(names, "saved")
        found = [item for node in graph.walk() for item in node.parameters if not item.buffer]
        self.copies = {item.name: copy for item in found if (copy := _copied(item.name, names))}
        self._kept: set[str] = set()
        for name in names:
            if any(part.isdecimal() for part in name.split(".")):
                raise ConfigError(f"saved {brief(name)} is no name of a module in every layer, such as lm_head")
        if names and not self.copies:
            ends = {part for item in found for part in item.name.split(".")[:-1]}
            raise ConfigError(f"saved {', '.join(names)}: no module has that name{suggest(names[0], ends)}")

    def copy(self, item: Parameter, node: str, place: Replacement) -> Parameter | None:
        """Returns the copy of a parameter that runs in its place, and keeps the parameter itself in memory; None for a
        parameter of no such module. `node` is the node that takes it."""
        name = self.copies.get(item.name)
        if name is None or item.buffer:
            return None
        if item.name not in self._kept:
            self._kept.add(item.name)
            own = evolve(item, frozen=True)
            place.apply("resident", own, name=f"{node}.{ORIGINAL}.{item.name.rpartition('.')[2]}")
        return evolve(item, name=name, tied_to="", frozen=False)


def separate(texts: Sequence[object], option: str) -> tuple[str, ...]:
    """Returns the names in texts of one or several, with commas between them. Raises ConfigError for anything else."""
    if not all(isinstance(text, str) and all(name.strip() for name in text.split(",")) for text in texts):
        raise ConfigError(f"{option} is {brief(list(texts))}, which are no names of modules")
    return tuple(name.strip() for text in texts for name in str(text).split(","))


def _copied(name: str, names: Sequence[str]) -> str:
    """Returns the name of a parameter's copy; empty if it is of no module that ends with one of the names."""
    words = name.split(".")
    for count in range(1, len(words)):
        path = ".".join(words[:count])
        if any(path.endswith(end) for end in names):
            return ".".join((path, COPY, *words[count:]))
    return ""
