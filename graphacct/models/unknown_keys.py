"""Keys that a configuration does not take, one by one: of no cost, left out by the class, not understood, or an error.

Imported only for a file that has such keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from graphacct.errors import ReadError, brief
from graphacct.graph.config_keys import ConfigKeys
from graphacct.models.inner_keys import inner
from graphacct.models.known_keys import COSTLY, FREQUENCIES, FURTHER_TOKENS, SWITCHES, changes_no_cost, is_off
from graphacct.models.metadata import INSIDE, SIZE, WITHIN
from graphacct.models.near_keys import slip, stands_for

WITHOUT = {"quantization_config": "; a file without it is the model with its weights unpacked"}
"""Advice for the error: what a file describes without the key."""
MOST_NAMED = 12
"""The most keys that one message names."""


@attrs.frozen
class Around:
    """What is around an unknown key.

    Attributes:
        config: The class of the configuration that does not take it; None for an object of settings, whose field knows
            every setting that could change a cost.
        content: The keys beside it in the file.
        sizes: The keys of sizes that the configuration takes, and of objects that hold sizes, other spellings among
            them, each with its field's name.
        no_cost: The keys of the family that change no cost.
    """

    config: type[Any] | None
    content: Mapping[str, Any]
    sizes: Mapping[str, str]
    no_cost: Mapping[str, tuple[Any, ...] | None]


def sorted_out(
    config: type[Any],
    content: Mapping[str, Any],
    unknown: Mapping[str, Any],
    owner: str,
    aliases: Mapping[str, str],
    no_cost: Mapping[str, tuple[Any, ...] | None],
) -> ConfigKeys:
    """Returns what becomes of the `unknown` keys, which are given by their paths, of a file's `content`.

    Raises ReadError for a key that changes the cost, and for keys that stand for sizes of the family `owner`.
    """
    not_understood: list[str] = []
    harmless: list[str] = []
    left_out: dict[str, str] = {}
    near: dict[str, str] = {}
    meant: dict[str, str] = {}
    for path, value in unknown.items():
        key = path.rpartition(".")[2]
        around = _around(config, content, path, aliases, no_cost)
        no_cost_here = around.no_cost
        if key in FURTHER_TOKENS and type(value) is int and value > 0 and key not in no_cost_here:
            left_out[path] = _further(path, value)
        elif around.config is None:
            not_understood.append(path)
        elif _changes_nothing(key, path, value, around.content, owner, no_cost_here):
            harmless.append(path)
        else:
            known = changes_no_cost(key, value, no_cost_here) is not None
            size = "" if known else stands_for(key, around.sizes)
            said = _said(size, around)
            if size and said is None:
                near[path] = size
            elif size and type(said) is type(value) and type(said) in (int, float, str) and said == value:
                harmless.append(path)
            else:
                not_understood.append(path)
                similar = size or _similar(key, around.config)
                if similar and not known:
                    meant[path] = similar
    if near:
        raise _near(near, owner)
    return ConfigKeys(tuple(not_understood), tuple(harmless), left_out, meant)


def _changes_nothing(
    key: str,
    path: str,
    value: Any,
    beside: Mapping[str, Any],
    owner: str,
    no_cost: Mapping[str, tuple[Any, ...] | None],
) -> bool:
    """Returns whether a key is known to change no cost with its value, `beside` the other keys of its file.

    Raises ReadError for one that is known to change it.
    """
    if value is None or (key in FURTHER_TOKENS and value in (0, False)) or beside.get(SWITCHES.get(key, "")) is False:
        return True
    if key in FREQUENCIES and (isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0):
        raise ReadError(f"{path} is {brief(value)}, and must be a positive number")
    known = changes_no_cost(key, value, no_cost)
    if known is not None or key not in COSTLY:
        return bool(known)
    if key == "layer_types" and isinstance(value, Sequence) and set(map(str, value)) == {"full_attention"}:
        return True
    if not is_off(value):
        raise ReadError(
            f"{path} is {brief(value)}, which {owner} does not know and which changes the cost{WITHOUT.get(key, '')}"
            f"\nset={path}=null reads the file without it"
        )
    return True


def _further(path: str, count: int) -> str:
    """Returns what a count of layers for further tokens describes."""
    layers = "1 layer that predicts" if count == 1 else f"{count} layers that predict"
    return f"{layers} further tokens ({path}), which the model's class does not have"


def _said(size: str, around: Around) -> Any:
    """Returns the value that the file gives for a size, in any spelling that the configuration takes; else None."""
    field = around.sizes.get(size)
    values = (value for key, value in around.content.items() if around.sizes.get(key) == field)
    return next((value for value in values if value is not None), None) if field else None


def _around(
    config: type[Any],
    content: Mapping[str, Any],
    path: str,
    aliases: Mapping[str, str],
    no_cost: Mapping[str, tuple[Any, ...] | None],
) -> Around:
    """Returns what is around a key, which may be in objects of the content."""
    inside: type[Any] | None = config
    while path not in content and inside is not None:
        outer = next(key for key in content if path.startswith(f"{key}."))
        metadata = {field.name: field.metadata for field in attrs.fields(inside)}[aliases.get(outer, outer)]
        kind = inner(metadata, content[outer], outer)
        path, content, inside, aliases = path[len(outer) + 1 :], content[outer], None, {}
        if kind is not None:
            content = kind.prepared(content)
            inside, aliases, no_cost = kind.config, kind.aliases, {**no_cost, **kind.no_cost}
    held = {SIZE, WITHIN, INSIDE}
    sizes = [field.name for field in attrs.fields(inside) if field.metadata.keys() & held] if inside else []
    spelled = {name: name for name in sizes} | {key: name for key, name in aliases.items() if name in sizes}
    return Around(inside, content, spelled, no_cost)


def _similar(key: str, config: type[Any]) -> str:
    """Returns the key of the configuration that a name misspells; empty if there is none."""
    plain = {field.name.replace("_", ""): field.name for field in attrs.fields(config)}
    return slip(key.lower().replace("_", ""), plain)


def _near(near: Mapping[str, str], owner: str) -> ReadError:
    """Returns the error for keys that stand for sizes."""
    keys = list(near)[:MOST_NAMED]
    pairs = ", ".join(f"{key} (for {near[key]})" for key in keys)
    more = f" and {len(near) - len(keys)} more" if len(near) > len(keys) else ""
    return ReadError(
        f"{owner} has no {pairs}{more}: left out, the default sizes of its class would be counted\n"
        "rename them as the transformers library spells them; null leaves one out "
        f"(set={keys[0]}=null)"
    )


def without_sizes(owner: str, keys: Sequence[str], nested: Sequence[str]) -> ReadError:
    """Returns the error for a file of which no size was read; `nested` are those keys whose objects have some."""
    there = f"; not understood: {', '.join(keys[:MOST_NAMED])}" if keys else ""
    way_out = f"the default sizes of its class are the model {owner!r}, not this file's"
    if nested:
        way_out = f"{nested[0]} has some: save that object as a config.json of its own to read it"
    return ReadError(f"no size of {owner} was read{there}\n{way_out}")
