"""A size of a model that is asked for by name: one of the workload, or a key of the model's configuration."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import attrs

from graphacct.errors import ConfigError, UnknownNameError, brief, suggest
from graphacct.graph.graph import Graph
from graphacct.keywords import DEFAULTS
from graphacct.models.find import ModelChoice
from graphacct.models.metadata import SIZE
from graphacct.models.near_keys import other_spelling, workload_spelling
from graphacct.models.read_choice import ReadChoice
from graphacct.models.workload import SIZES
from graphacct.phases import GENERATION_SIZES
from graphacct.sizes import parse_size

OF_THE_WORKLOAD = ("batch", *SIZES, "cache_len", *GENERATION_SIZES, "dp")
"""What may be asked for besides keys of the configuration."""
POSITIONS = "max_position_embeddings"
"""How most families call the positions that a model has learned."""


@attrs.frozen
class Size:
    """A size whose value is not given: it is solved for, or it takes several.

    Attributes:
        name: As it was asked for.
        key: The keyword of the workload, or the key of the configuration.
        of_config: Whether it is a key of the configuration.
        own: The model's own value; None if it has none.
        positions: Of a length of text: the key of the configuration that limits it, and its value; None if there is
            none, or if it is given.
    """

    name: str
    key: str
    of_config: bool
    own: int | None = None
    positions: tuple[str, int] | None = None

    def given(self, options: Mapping[str, Any], size: int, *, extended: bool = False) -> dict[str, Any]:
        """Returns the options of a model of this size; `extended` gives it as many positions."""
        keys = dict(options.get("set") or {})
        if extended and self.positions is not None:
            keys[self.positions[0]] = size
        if self.of_config:
            return {**options, "set": {**keys, self.key: size}}
        return {**options, "set": keys, self.key: size}


def find_size(
    found: Graph | ModelChoice | ReadChoice, name: str, options: Mapping[str, Any], taken: str = "solved for"
) -> Size:
    """Returns the size that a name means. A key of the configuration may have another library's spelling. `taken` says
    what becomes of the size, for messages.

    Raises ConfigError for a name that is no size of the model, which lists those there are, for a finished graph, and
    for a size that the options give.
    """
    if isinstance(found, Graph):
        raise ConfigError(f"{found.name!r} is a finished graph: its sizes are fixed")
    keys: Mapping[str, Any] = options.get("set") or {}
    sizes, settings = workload_sizes(found), config_sizes(found, keys)
    of_workload = name if name in sizes else "" if name in settings else workload_spelling(name, sizes)
    if of_workload:
        if options.get(of_workload) not in (None, DEFAULTS.get(of_workload)):
            raise ConfigError(f"{name} is {taken}: leave {of_workload}={options[of_workload]} out")
        return attrs.evolve(_of_workload(found, of_workload, keys), name=name)
    aliases = _aliases(found)
    key = aliases.get(name, name)
    if key not in settings:
        key = other_spelling(name, settings)
    if not key:
        raise unknown_name("size", name, {"of the workload": sizes, "of the configuration": settings})
    if key in {aliases.get(given, given) for given in keys}:
        raise ConfigError(f"{name} is {taken}: leave it out of set")
    return Size(name, key, True, settings[key])


def workload_sizes(found: object) -> tuple[str, ...]:
    """Returns the sizes that a model's workload may have."""
    if not isinstance(found, ModelChoice):
        return OF_THE_WORKLOAD
    of_text = ("cache_len", *GENERATION_SIZES) if "seq_len" in found.architecture.sizes else ()
    return ("batch", *found.architecture.sizes, *of_text, "dp")


def config_sizes(found: object, overrides: Mapping[str, Any]) -> dict[str, int]:
    """Returns the whole numbers among the sizes of a model's configuration, by key; those of parts as `part.key`."""
    if not isinstance(found, ModelChoice):
        return {}
    return dict(_sizes(_configured(found, overrides)))


def staying(found: object, overrides: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, int]:
    """Returns the sizes of a model's configuration that stay as they are when some keys have other values: none of
    those keys, and nothing that follows from them. Of its parts none, and none where the model refuses the values."""
    try:
        own, then = config_sizes(found, overrides), config_sizes(found, {**overrides, **changed})
    except ConfigError:
        return {}
    return {key: size for key, size in own.items() if key not in changed and then.get(key) == size and "." not in key}


def pair_keys(found: object, overrides: Mapping[str, Any], name: str, side: int) -> list[str]:
    """Returns the keys of a model's configuration of this name, its own and those of parts, that are a height and a
    width of `side`."""
    if not isinstance(found, ModelChoice):
        return []
    config = _configured(found, overrides)
    parts = [(f"{field.name}.", getattr(config, field.name)) for field in attrs.fields(type(config))]
    inner = [(before, part) for before, value in parts if attrs.has(type(part := getattr(value, "config", value)))]
    return [f"{before}{name}" for before, part in [("", config), *inner] if getattr(part, name, None) == (side, side)]


def _configured(found: ModelChoice, overrides: Mapping[str, Any]) -> Any:
    left = {key: value for key, value in overrides.items() if key not in found.applied}
    return found.architecture.configure(found.config, left)


def _sizes(config: Any, before: str = "") -> Iterator[tuple[str, int]]:
    for field in attrs.fields(type(config)):
        value = getattr(config, field.name)
        if type(value) is int and SIZE in field.metadata:
            yield f"{before}{field.name}", value
        inner = getattr(value, "config", value)  # a SubModel's, or one of a class of its own
        if not before and attrs.has(type(inner)):
            yield from _sizes(inner, f"{field.name}.")


def _of_workload(found: object, name: str, keys: Mapping[str, Any]) -> Size:
    if name in ("batch", "dp") or not isinstance(found, ModelChoice):
        return Size(name, name, False, 1 if name in ("batch", "dp") else None)
    own = own_size(found, name, keys)
    limit = positions(found, keys) if name == "seq_len" else None
    aliases = _aliases(found)
    if limit is not None and limit[0] in {aliases.get(given, given) for given in keys}:
        limit = None
    return Size(name, name, False, own, limit)


def positions(found: object, keys: Mapping[str, Any]) -> tuple[str, int] | None:
    """Returns the key of a configuration that says how many positions a text has at most, and its value; None if there
    is none."""
    sizes = config_sizes(found, keys)
    key = POSITIONS if POSITIONS in sizes else other_spelling(POSITIONS, sizes)
    return (key, sizes[key]) if key else None


def own_size(found: ModelChoice, name: str, keys: Mapping[str, Any]) -> int | None:
    """Returns the size of the workload that a model takes by itself; None if it has no such size."""
    default = found.architecture.sizes.get(name)
    own = None if default is None else found.sizes[name] if name in found.sizes else default(_configured(found, keys))
    own = own[0] if isinstance(own, tuple) else own
    return own if type(own) is int else None


def _aliases(found: object) -> Mapping[str, str]:
    return found.architecture.aliases if isinstance(found, ModelChoice) else {}


def unknown_name(kind: str, name: str, known: Mapping[str, Collection[str]]) -> UnknownNameError:
    """Returns the error for a name that nothing has: the closest one, and all that are known, by what they are."""
    close = suggest(name, [item for items in known.values() for item in items])
    close = close if "did you mean" in close else ";"
    listed = "; ".join(f"{what} {', '.join(items)}" for what, items in known.items() if items)
    return UnknownNameError(f"unknown {kind} {brief(name)}{close} known: {listed}")


def sizes_of(text: str) -> range:
    """Returns the sizes of START:STOP or START:STOP:STEP, STOP included. Raises ConfigError for another text, and for
    one without any size.

    >>> list(sizes_of("1k:2k:512"))
    [1024, 1536, 2048]
    """
    parts = [part.strip() for part in text.split(":")]
    if len(parts) not in (2, 3) or not all(parts):
        raise ConfigError(f"{brief(text)} is no range of sizes: write START:STOP or START:STOP:STEP, as 1k:16k:512")
    start, stop, *steps = map(parse_size, parts)
    step = steps[0] if steps else 1
    if start < 1 or step < 1 or stop < start:
        raise ConfigError(f"{brief(text)} has no sizes: it goes up from 1 or more, by 1 or more")
    return range(start, stop + 1, step)
