"""A size of a model that is asked for by name: one of the workload, or a key of the model's configuration."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import attrs

from graphacct.dims import check_dim
from graphacct.errors import ConfigError, UnknownNameError, brief, suggest
from graphacct.graph.graph import Graph
from graphacct.keywords import DEFAULTS
from graphacct.models.find import ModelChoice
from graphacct.models.metadata import SIZE
from graphacct.models.near_keys import other_spelling
from graphacct.models.read_choice import ReadChoice
from graphacct.models.workload import SIZES
from graphacct.phases import GENERATION_SIZES
from graphacct.sizes import parse_size

OF_THE_WORKLOAD = ("batch", *SIZES, "cache_len", *GENERATION_SIZES, "dp")
"""What may be asked for besides keys of the configuration."""
MOST = 1_000
"""The most sizes that one model is built at."""
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
    if name in sizes:
        if options.get(name) not in (None, DEFAULTS.get(name)):
            raise ConfigError(f"{name} is {taken}: leave {name}={options[name]} out")
        return _of_workload(found, name, keys)
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
    sizes = config_sizes(found, keys)
    key = (POSITIONS if POSITIONS in sizes else other_spelling(POSITIONS, sizes)) if name == "seq_len" else ""
    aliases = _aliases(found)
    limit = (key, sizes[key]) if key and key not in {aliases.get(given, given) for given in keys} else None
    return Size(name, name, False, own, limit)


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


def named_sizes(over: str | Mapping[str, str | Iterable[int]]) -> tuple[str, tuple[int, ...]]:
    """Returns the name of a size and several values of it, of `NAME=SIZES` or a mapping with one name.

    Raises ConfigError for another form, and what `listed_sizes` raises.

    >>> named_sizes("batch=1:8:1") == named_sizes({"batch": range(1, 9)})
    True
    """
    if isinstance(over, str):
        name, equals, text = (part.strip() for part in over.partition("="))
        if not (name and equals and text):
            raise ConfigError(
                f'over={brief(over)} is not of the form NAME=SIZES: over="seq_len=1k,4k,16k" or over="batch=1:8:1"'
            )
        return name, listed_sizes(name, text)
    if len(over) != 1:
        raise ConfigError(f"over takes one size, and {', '.join(over) or 'none'} is given: leave the others out")
    ((name, sizes),) = over.items()
    return name, listed_sizes(name, sizes)


def listed_sizes(name: str, given: str | Iterable[int]) -> tuple[int, ...]:
    """Returns several sizes of one name: of a text with commas between sizes and ranges, or of ints.

    Raises ConfigError for another text, a size below 1, one that is given twice, and for none or more than MOST.

    >>> listed_sizes("seq_len", "1k,4k:16k:4k")
    (1024, 4096, 8192, 12288, 16384)
    """
    parts: Iterable[Any] = given.split(",") if isinstance(given, str) else [given] if type(given) is range else given
    try:
        ranges = [_range(part) for part in parts]
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}; several sizes are given as 1k,4k,16k or 1k:16k:512") from None
    count = sum((part[-1] - part[0]) // part.step + 1 for part in ranges if part)
    if not 1 <= count <= MOST:
        raise ConfigError(f"{name} takes from 1 to {MOST:,} sizes here, not {count:,}: give some as 1k,4k,16k")
    sizes = [size for part in ranges for size in part]
    twice = next((size for size in sizes if sizes.count(size) > 1), None)
    if twice is not None:
        raise ConfigError(f"{name} takes {twice:,} twice: give each size once")
    return tuple(check_dim(size, name) for size in sizes)  # type: ignore[misc]


def _range(part: Any) -> range:
    """Returns the sizes of one part of a list."""
    if isinstance(part, range):
        return part
    if isinstance(part, str) and ":" in part:
        return sizes_of(part)
    size = parse_size(part.strip()) if isinstance(part, str) else part
    if type(size) is not int or size < 1:
        raise ConfigError(f"{brief(part)} is no size: a size is a whole number from 1")
    return range(size, size + 1)
