"""A model that a reader reads only when it is known for what: a module of a framework, with its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphacct.errors import ConfigError, brief
from graphacct.graph.graph import Graph
from graphacct.models.asking import asked, read_by
from graphacct.phases import FORWARD, TRAIN

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins
    from graphacct.models.reader import Reader

BOTH = ("phase", "loss")
"""Options that a finished graph takes too, so that a reader need not."""
ALONE = ("inputs", "dynamic")
"""Options that only such models take."""


class ReadChoice:
    """An object or path that was found and is read when the options are known.

    Attributes:
        name: What messages call it.
    """

    def __init__(self, name: str, model: Any, reader: Reader, plugins: Plugins) -> None:
        self.name = name
        self._model, self._reader, self._plugins = model, reader, plugins
        self._read: list[tuple[dict[str, Any], Graph]] = []

    def __repr__(self) -> str:
        return f"<ReadChoice {self.name}>"

    @property
    def path(self) -> str:
        """The file that describes it; empty for an object."""
        return self._model if isinstance(self._model, str) else ""

    @property
    def takes(self) -> Sequence[str]:
        """The options that its reader takes."""
        return self._reader.takes

    def weights(self, overrides: Mapping[str, Any]) -> Any:
        """Returns how its files say that its weights are stored, with a `plan`, a `problem` and settings
        `not_understood`; None if they say nothing. `overrides` replace keys of its file."""
        return asked(
            self._reader,
            self._model,
            self._plugins,
            lambda reader: reader.weights(self._model, overrides, self._plugins.weight_formats),
        )

    def graph(self, options: Mapping[str, Any]) -> Graph:
        """Returns the graph for options, by the names of the verbs' keywords. Reading may take seconds, so that the
        graph of the same options is the same one.

        Raises ConfigError for an option that the reader does not take, and what the reader raises.
        """
        takes = self._reader.takes
        wrong = [name for name in options if name not in takes and name not in BOTH]
        if wrong:
            way_out = f"; {self._reader.instead}" if self._reader.instead else ""
            raise ConfigError(f"{self.name!r} takes no {', '.join(wrong)}, but {', '.join(takes)}{way_out}")
        phase = options.get("phase")
        if phase is not None and phase not in (FORWARD, TRAIN):
            raise ConfigError(
                f"{self.name!r} has no phase {brief(phase)}: it runs once, on the inputs that it is given: "
                f"{FORWARD} or {TRAIN}"
            )
        own = {name: value for name, value in options.items() if name in takes and (name, value) != ("phase", FORWARD)}
        for known, graph in self._read:
            if known.keys() == own.keys() and all(_same(known[name], value) for name, value in own.items()):
                return graph
        graph = read_by(self._reader, self._model, self._plugins, own)
        self._read.append((own, graph))
        return graph


def takes_no_inputs(name: str, options: Mapping[str, Any]) -> ConfigError | None:
    """Returns the error for inputs of a model that is built from its configuration; None without any."""
    given = [option for option in ALONE if options.get(option) is not None]
    if not given:
        return None
    return ConfigError(
        f"{name!r} is built from its configuration and takes no {' or '.join(given)}, not {brief(options[given[0]])}: "
        "batch= and seq_len= give its sizes, and a sympy symbol gives a formula"
    )


def _same(known: Any, value: Any) -> bool:
    """Whether two values of an option are the same; one of tensors is compared by identity."""
    return known is value or (isinstance(value, (str, int)) and type(known) is type(value) and known == value)
