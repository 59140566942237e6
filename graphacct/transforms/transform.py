"""A transform: a graph in, a graph out, with options that it declares.

`--transform NAME[:options]` asks for one, `transforms=[…]` in Python. They run in the order given. The workload of the
graph lists them, so that every report states them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.errors import ConfigError, GraphacctError, PluginError, brief, failure, suggest, unknown
from graphacct.graph.graph import Graph
from graphacct.graph.validate import validate
from graphacct.operators.operator import Operator

APPLIED = "transforms"
"""The key of a graph's workload that lists the transforms applied to it."""
FORM = "NAME or NAME:option=value,option=value"
TYPES: Mapping[type, str] = {int: "an integer", float: "a number", bool: "true or false", str: "a text", tuple: "texts"}
"""The types of options, with their names in messages."""


@attrs.frozen
class Option:
    """An option of a transform.

    Attributes:
        name: What users call it.
        type: int, float, bool, str, or tuple: several texts, for which the command line repeats the option.
        default: Its value if not given; `...` if it must be given.
        help: One sentence.
    """

    name: str
    type: type
    default: Any
    help: str

    def read(self, value: Any) -> Any:
        """Returns a value from a caller or the command line in the option's type. Raises ValueError if it does not
        fit."""
        if self.type is tuple:
            return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
        if self.type is bool and value in ("true", "false"):
            return value == "true"
        if isinstance(value, str) and self.type is int and not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise ValueError
        if isinstance(value, bool) and self.type is not bool:
            raise ValueError
        if isinstance(value, str) and self.type in (int, float):
            value = self.type(value)
        if self.type is float and isinstance(value, int):
            value = float(value)
        if not isinstance(value, self.type) or value != value:
            raise ValueError
        return value


@attrs.frozen(eq=False)
class Transform:
    """A rewrite of a graph.

    Attributes:
        name: What users call it.
        doc: One sentence.
        apply: `apply(graph, operators, **options) -> Graph`, with the registered operators by name and every option.
        options: Its options.
        requires: Conditions on the graph: a word that an earlier transform ensures, `no WORD` for one that none
            ensures, or `key=value` of the workload (`phase=train`).
        ensures: What is true of the graph afterwards: words, and `no WORD` for one that is no longer true.
        replaces: Whether it replaces another plugin's transform of the same name.
    """

    name: str
    doc: str
    apply: Callable[..., Graph]
    options: tuple[Option, ...] = ()
    requires: tuple[str, ...] = ()
    ensures: tuple[str, ...] = ()
    replaces: bool = False

    def __attrs_post_init__(self) -> None:
        for option in self.options:
            if option.type not in TYPES:
                known = ", ".join(kind.__name__ for kind in TYPES)
                raise ConfigError(
                    f"transform {self.name!r}, option {option.name!r}: its type is {brief(option.type)}; known: {known}"
                )


def transformed(
    graph: Graph, asked: Iterable[Any], transforms: Mapping[str, Transform], operators: Mapping[str, Operator]
) -> Graph:
    """Returns the graph after the transforms in `asked`, in order. Each is a text as on the command line, or a pair of
    a name and options.

    Raises UnknownNameError for an unknown transform, ConfigError, which names transform, option and value, for a value
    that does not fit or a requirement that is not met, and PluginError for a transform that fails.
    """
    for item in (asked,) if isinstance(asked, str) else asked:
        name, given = parsed(item)
        try:
            graph = applied(graph, name, given, transforms, operators)
        except GraphacctError as error:
            if name not in transforms or str(error).startswith(f"transform {name!r}"):
                raise
            raise type(error)(f"transform {name!r}: {error}") from error
    return graph


def parsed(asked: object) -> tuple[str, Mapping[str, Any]]:
    """Returns the name and the options in a request for a transform. Raises ConfigError if it is neither text nor a
    pair."""
    if isinstance(asked, Sequence) and not isinstance(asked, str) and len(asked) == 2:
        name, options = asked
        if isinstance(name, str) and isinstance(options, Mapping):
            return name, options
    if not isinstance(asked, str):
        raise ConfigError(f"transform {brief(asked)} is neither a text, {FORM}, nor a pair of its name and a mapping")
    name, colon, rest = asked.partition(":")
    given: dict[str, Any] = {}
    for part in re.split(r",(?=\s*\w+\s*=)", rest) if colon else ():
        key, equals, value = (text.strip() for text in part.partition("="))
        if not equals or not key:
            raise ConfigError(f"transform {brief(asked)} is not of the form {FORM}")
        given[key] = value if key not in given else (*_several(given[key]), value)
    return name.strip(), given


def applied(
    graph: Graph,
    name: str,
    given: Mapping[str, Any],
    transforms: Mapping[str, Transform],
    operators: Mapping[str, Operator],
) -> Graph:
    """Returns the graph after one transform, and lists the transform in its workload."""
    transform = transforms.get(name)
    if transform is None:
        raise unknown("transform", name, transforms, "graphacct list transforms shows all")
    options = _options(transform, given)
    earlier = graph.workload.get(APPLIED, ())
    _check_requirements(graph, transform, transforms)
    origin = getattr(transforms, "origins", {}).get(name, "")
    who = f"transform {name!r}" + (f" of plugin {origin}" if origin else "")
    try:
        result: object = transform.apply(graph, operators, **options)
    except GraphacctError:
        raise
    except Exception as error:
        raise PluginError(failure(who, error)) from error
    if not isinstance(result, Graph):
        raise PluginError(f"{who} returned {brief(result)}, which is no Graph")
    try:
        validate(result)
    except GraphacctError as error:
        raise PluginError(f"{who} returned a graph that is not sound: {error}") from error
    record = {"name": name, "options": options}
    return attrs.evolve(result, workload={**result.workload, APPLIED: (*earlier, record)})


def option_text(record: Mapping[str, Any]) -> str:
    """Returns an applied transform as the command line writes it: `lora:adapters=8:*.c_attn,dropout=0.1`."""
    pairs = [(key, item) for key, value in record["options"].items() for item in _several(value)]
    shown = (f"{key}={str(item).lower() if isinstance(item, bool) else item}" for key, item in pairs)
    return record["name"] + (f":{','.join(shown)}" if pairs else "")


def _options(transform: Transform, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the value of each option, in the order in which they are declared."""
    known = {option.name: option for option in transform.options}
    for key in given:
        if key not in known:
            hint = suggest(key, known) if known else "; it takes none"
            raise ConfigError(f"transform {transform.name!r} has no option {key!r}{hint}")
    values: dict[str, Any] = {}
    for name, option in known.items():
        who = f"transform {transform.name!r}, option {name!r}"
        if name not in given and option.default is ...:
            raise ConfigError(f"{who} must be given: {option.help}")
        try:
            values[name] = option.read(given[name]) if name in given else option.default
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{who}: {brief(given[name])} is not {TYPES[option.type]}") from error
    return values


def _check_requirements(graph: Graph, transform: Transform, transforms: Mapping[str, Transform]) -> None:
    facts: set[str] = set()
    for record in graph.workload.get(APPLIED, ()):
        earlier = transforms.get(record["name"])
        for word in earlier.ensures if earlier else ():
            if word.startswith("no "):
                facts.discard(word.removeprefix("no "))
            else:
                facts.add(word)
    for word in transform.requires:
        key, equals, value = word.partition("=")
        who = f"transform {transform.name!r} requires {word!r} of {graph.name!r}"
        if equals:
            has = graph.workload.get(key)
            if str(has) != value:
                raise ConfigError(f"{who}, whose {key} is {has}" if has is not None else f"{who}, which has no {key}")
        elif word.startswith("no "):
            if word.removeprefix("no ") in facts:
                raise ConfigError(f"{who}, which an earlier transform has given it")
        elif word not in facts:
            makers = [name for name, other in transforms.items() if word in other.ensures]
            hint = f"; put before it a transform that ensures it: {', '.join(makers)}" if makers else ""
            raise ConfigError(f"{who}, which no earlier transform ensures{hint}")


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
