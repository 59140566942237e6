"""Which sizes of a model are symbols in its formulas: those of the workload and of the configuration, with values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.dims import is_array, is_symbol
from graphacct.errors import ConfigError, brief
from graphacct.graph.graph import Graph
from graphacct.models.find import ModelChoice
from graphacct.models.size import config_sizes, find_size, pair_keys, workload_sizes
from graphacct.phases import DECODE

IMAGE = "image_size"
"""The one size of a workload that is two: height and width, of a square one symbol."""
NOT_SYMBOLS = ("dp",)
"""How many machines there are, which only training asks for."""


@attrs.frozen
class Symbol:
    """A size that may be a symbol.

    Attributes:
        name: What formulas call it: the workload's keyword, or the key of the model's configuration.
        value: Its value at the model's own point.
        of_config: Whether it is a key of the configuration.
        given: Whether the user gave its value.
        key: Of a size of the workload: the key of the configuration that takes the same value, if there is one.
    """

    name: str
    value: int
    of_config: bool
    given: bool
    key: str = ""


def symbols_of(found: object, options: Mapping[str, Any], workload: Mapping[str, Any]) -> tuple[Symbol, ...]:
    """Returns the sizes of a model, those of the workload first; `workload` has the values that the model takes.

    Raises ConfigError for a model whose sizes are fixed.
    """
    if not isinstance(found, ModelChoice):
        name = brief(found.name) if isinstance(found, Graph) else "the model"
        raise ConfigError(f"{name} is no configuration but a finished graph: its sizes are fixed, so it has no formula")
    keys = options.get("set") or {}
    for name, value in {**workload, **keys}.items():
        if is_symbol(value) or is_array(value):
            raise ConfigError(f"{name} is {brief(value)}: every size is a symbol by itself, and takes a number here")
    sizes = {
        name: value
        for name in workload_sizes(found)
        if name not in NOT_SYMBOLS and (value := _size(name, workload.get(name))) is not None
    }
    return (
        *(Symbol(name, value, False, options.get(name) is not None) for name, value in sizes.items()),
        *(Symbol(name, value, True, name in keys) for name, value in config_sizes(found, keys).items() if value > 0),
    )


def by_cache(options: Mapping[str, Any], workload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the options of a decoding step with its length as `cache_len`, which is a size of it, and not as
    `seq_len`, of which a step has 1; those of another phase as they are."""
    if workload.get("phase") != DECODE:
        return options
    return {**options, "seq_len": None, "cache_len": workload["cache_len"]}


def chosen(found: Any, names: Iterable[str], symbols: Iterable[Symbol]) -> tuple[Symbol, ...]:
    """Returns the symbols of these names, which may be in another library's spelling.

    Raises UnknownNameError, which lists those there are, and ConfigError for a size that this workload has not.
    """
    known = {symbol.name: symbol for symbol in symbols}
    wanted = {}
    for name in names:
        key = name if name in known else find_size(found, name, {}, "a symbol").key
        if key not in known:
            raise ConfigError(f"{name} is no size of this workload: it has {', '.join(known)}")
        wanted[key] = known[key]
    return tuple(symbol for symbol in known.values() if symbol.name in wanted)


def with_sizes(options: Mapping[str, Any], sizes: Mapping[str, Any], symbols: Iterable[Symbol]) -> dict[str, Any]:
    """Returns the options of a model with these sizes in place of its own."""
    known = {symbol.name: symbol for symbol in symbols}
    keys = dict(options.get("set") or {})
    found = dict(options)
    for name, size in sizes.items():
        if known[name].of_config:
            keys[name] = size
        else:
            found[name] = (size, size) if name == IMAGE else size
            if known[name].key:
                keys[known[name].key] = found[name]
    return {**found, "set": keys}


def with_image_key(
    account: Callable[..., Any], found: Any, options: Mapping[str, Any], symbols: Sequence[Symbol]
) -> tuple[Symbol, ...]:
    """Returns the symbols; that of the images' size with its key, if the model refuses images of any other size than
    the one in its configuration, for which it has learned positions."""
    given = options.get("set") or {}
    sizes = {symbol.name: symbol.value for symbol in symbols if symbol.name == IMAGE and not symbol.of_config}
    keys = [key for key in pair_keys(found, given, IMAGE, sizes.get(IMAGE, 0)) if key not in given]
    if not keys:
        return tuple(symbols)
    try:
        account(**with_sizes(options, {IMAGE: 2 * sizes[IMAGE]}, symbols))
    except ConfigError as error:
        refused = [key for key in keys if f"--set {key}=" in str(error)]
        if refused:
            return tuple(attrs.evolve(each, key=refused[0]) if each.name == IMAGE else each for each in symbols)
    return tuple(symbols)


def _size(name: str, value: Any) -> int | None:
    """Returns a size of the workload as one number; None for one that is none."""
    if name == IMAGE and isinstance(value, tuple) and value and all(each == value[0] for each in value):
        value = value[0]
    return value if type(value) is int and value > 0 else None
