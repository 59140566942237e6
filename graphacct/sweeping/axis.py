"""An axis of a grid: a size of the workload or the configuration, or a word such as a dtype, and its values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.errors import ConfigError, UnknownNameError, brief
from graphacct.keywords import DEFAULTS
from graphacct.models.find import ModelChoice
from graphacct.models.size import Size, config_sizes, find_size, unknown_name, workload_sizes
from graphacct.models.values import Values, parse_values, values_of
from graphacct.sizes import parse_size

OPTIONS = (
    "phase",
    "dtype",
    "weights",
    "kv_dtype",
    "attention",
    "logits",
    "loss",
    "convention",
    "mask",
    "profile",
    "recompute",
    "optimizer",
    "master",
    "zero",
)
"""Options whose values are words, each of which makes another graph."""
_CONSTANTS: Mapping[str, Any] = {"true": True, "false": False, "null": None}


@attrs.frozen
class Axis:
    """A size with its values.

    Attributes:
        size: The size.
        values: What it is in turn.
    """

    size: Size
    values: Values

    @property
    def name(self) -> str:
        """The name as it was asked for, which its column has."""
        return self.size.name

    @property
    def count(self) -> int:
        """How many values it has."""
        return self.values.count

    def text(self) -> str:
        """Returns its values as they are typed."""
        return self.values.text()


@attrs.frozen
class WordAxis:
    """An option, or a key of the configuration that is no size, with its values: a graph of its own for each.

    Attributes:
        name: The option, or the key.
        of_config: Whether it is a key of the configuration.
        values: What it is in turn.
    """

    name: str
    of_config: bool
    values: tuple[Any, ...]

    @property
    def count(self) -> int:
        """How many values it has."""
        return len(self.values)

    def text(self) -> str:
        """Returns its values as they are typed."""
        constants = {repr(value): text for text, value in _CONSTANTS.items()}
        return ", ".join(constants.get(repr(value), str(value)) for value in self.values)

    def given(self, options: Mapping[str, Any], value: Any) -> dict[str, Any]:
        """Returns the options with this value."""
        if not self.of_config:
            return {**options, self.name: value}
        return {**options, "set": {**(options.get("set") or {}), self.name: value}}


def find_axes(found: Any, over: Mapping[str, Any], options: Mapping[str, Any]) -> list[Axis | WordAxis]:
    """Returns the axes of a grid over a model: `over` has the values of each by name, as text or as numbers.

    Raises ConfigError for no axis, for values that cannot be read, and for a size that is swept twice or given too;
    UnknownNameError for a name that is neither a size nor an option.
    """
    if not over:
        raise ConfigError("no axis is given: over={'seq_len': '1k,4k'} gives the values of a size")
    axes: list[Axis | WordAxis] = []
    keys: dict[str, str] = {}
    for name, given in over.items():
        try:
            axes.append(_axis(found, name, given, options))
        except ConfigError as error:
            raise ConfigError(f"over {name}: {error}") from error
        axis = axes[-1]
        key = axis.size.key if isinstance(axis, Axis) else axis.name
        if key in keys:
            raise ConfigError(f"over {name}: it is {key}, which is over {keys[key]} already")
        keys[key] = name
    return axes


def _axis(found: Any, name: str, given: Any, options: Mapping[str, Any]) -> Axis | WordAxis:
    if name in OPTIONS:
        if options.get(name) not in (None, DEFAULTS.get(name)):
            raise ConfigError(f"{name} is swept: leave {name}={options[name]} out")
        return WordAxis(name, False, _words(given))
    try:
        size = find_size(found, name, options, "swept")
    except UnknownNameError:
        if not _is_key(found, name):
            keys = options.get("set") or {}
            sizes = {"of the workload": workload_sizes(found), "of the configuration": config_sizes(found, keys)}
            raise unknown_name("size", name, {**sizes, "options": OPTIONS}) from None
        if name in (options.get("set") or {}):
            raise ConfigError(f"{name} is swept: leave it out of set") from None
        return WordAxis(name, True, _words(given))
    if size.of_config and any(value in _CONSTANTS for value in _typed(given)):
        return WordAxis(size.key, True, _words(given))  # sliding_window=null,4k
    return Axis(size, parse_values(given) if isinstance(given, str) else values_of(_listed(given)))


def _is_key(found: Any, name: str) -> bool:
    """Returns whether a name is a key of the model's configuration, or one of a part of it."""
    if not isinstance(found, ModelChoice):
        return False
    first = name.partition(".")[0]
    return first in found.architecture.aliases or hasattr(attrs.fields(found.architecture.config), first)


def _typed(given: Any) -> Sequence[str]:
    return [part.strip() for part in given.split(",")] if isinstance(given, str) else ()


def _listed(given: Any) -> Iterable[Any]:
    return given if hasattr(given, "__iter__") else (given,)


def _words(given: Any) -> tuple[Any, ...]:
    """Returns the values of an axis of words: those of a text are true, false, null, whole numbers or words."""
    words = tuple(map(_word, _typed(given)) if isinstance(given, str) else _listed(given))
    if not words or "" in words:
        raise ConfigError(f"{brief(given)} has {'an empty value' if words else 'no values'}: write bf16,fp32")
    twice = next((word for place, word in enumerate(words) if repr(word) in map(repr, words[:place])), None)
    if twice is not None:
        raise ConfigError(f"{brief(twice)} is there twice: each value makes rows of its own")
    return words


def _word(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    try:
        return parse_size(text) if text[:1].isdigit() else text
    except ConfigError:
        return text
