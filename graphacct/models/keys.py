"""The keys of a config.json: which ones a configuration takes, and what becomes of every other.

A file holds only the values that differ from its class's defaults, and older files use older keys. Of a key that the
configuration does not take, `account` says whether it changes no cost, describes what the class leaves out, or is not
understood. An unknown key that changes the cost, or that is close to a size, is an error.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

import attrs

from graphacct.errors import ConfigError
from graphacct.graph.config_keys import NO_KEYS, ConfigKeys
from graphacct.models.inner_keys import inner
from graphacct.models.metadata import INSIDE, SETTINGS, SIZE, SWITCH, WITHIN

NONE: Mapping[str, str] = {}
NO_COSTS: Mapping[str, tuple[Any, ...] | None] = {}
FAMILY = "model_type"


def without_default(config: type[Any]) -> list[str]:
    """Returns the keys without a default: only a preset or a file has them."""
    return [field.name for field in attrs.fields(config) if field.init and field.default is attrs.NOTHING]


def filled(
    config: type[Any],
    content: Mapping[str, Any],
    aliases: Mapping[str, str] = NONE,
    translated: Container[str] = (),
) -> Any:
    """Returns the configuration from the keys that its class knows.

    A file may have a key in several spellings. The configuration's own spelling wins, except over an alias that is
    `translated`. A value that does not fit is left out if another key switches it off. Null is the default, but of a
    size that must be a number: there the library refuses it, and the default would be taken for the file's.

    Raises ConfigError for any other value that does not fit, with the key as the file spells it, and for a key without
    a default that the file does not have.
    """
    fields = {field.name: field for field in attrs.fields(config)}
    given: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    fixed: set[str] = set()
    nulls: dict[str, str] = {}
    for key, value in content.items():
        name = aliases.get(key, key)
        if name not in fields:
            continue
        if value is None and fields[name].default is not None and not fields[name].metadata.get("optional"):
            if SIZE in fields[name].metadata:
                nulls[name] = key
            continue
        if key in translated and value is not None:
            fixed.add(name)
        elif name in fixed or (key != name and content.get(name) is not None) or given.get(name) is not None:
            continue
        given[name], spelled[name] = value, key
    for name, key in nulls.items():
        if name not in given and not _switched_off(fields[name], given, fields):
            raise ConfigError(f"{key} is null: give a number, or leave it out for the class's default")
    missing = [name for name in without_default(config) if name not in given]
    if missing:
        raise ConfigError(f"{' and '.join(missing)} must be given: the class has no default")
    while True:
        try:
            return config(**given)
        except ConfigError as error:
            name = str(error).partition(" ")[0]
            if name in given and _switched_off(fields[name], given, fields):
                del given[name]
            elif spelled.get(name, name) != name:  # name the key as the file spells it
                raise ConfigError(f"{spelled[name]} {str(error)[len(name) + 1 :]}") from error
            else:
                raise


def _switched_off(field: Any, given: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Returns whether a field means nothing, because its switch is false in the file or by default."""
    switch = field.metadata.get(SWITCH)
    return switch is not None and given.get(switch, fields[switch].default) is False


def account(
    config: type[Any],
    content: Mapping[str, Any],
    owner: str,
    aliases: Mapping[str, str] = NONE,
    no_cost: Mapping[str, tuple[Any, ...] | None] = NO_COSTS,
    defaults: bool = False,
    parts_left_out: Mapping[str, str] = NONE,
) -> ConfigKeys:
    """Returns what becomes of the keys that the configuration does not take.

    Args:
        config: The configuration's class.
        content: The keys of the file.
        owner: The family, for messages.
        aliases: Other spellings of keys that the family reads.
        no_cost: Keys of the family that change no cost, each with the values at which that holds (None: any).
        defaults: Whether a content without a size may stand for the family's default sizes, if every key of it is
            understood.
        parts_left_out: Keys of parts that are not counted, and what each describes.

    Raises ReadError for a key that changes the cost or stands for a size, and that the family does not take; and for a
    content of which no size is read.
    """
    unknown = {path: value for path, value in _unknown(config, content, aliases) if path != FAMILY}
    parts = {path: parts_left_out[path] for path in unknown if path in parts_left_out}
    unknown = {path: value for path, value in unknown.items() if path not in parts}
    found = NO_KEYS
    if unknown:
        from graphacct.models.unknown_keys import sorted_out

        found = sorted_out(config, content, unknown, owner, aliases, no_cost)
    if parts:
        found = attrs.evolve(found, left_out={**found.left_out, **parts})
    if not (defaults and not found.not_understood) and not _has_size(config, content, aliases):
        from graphacct.models.unknown_keys import without_sizes

        nested = [
            key
            for key in found.not_understood
            if isinstance(content.get(key), Mapping) and _has_size(config, content[key], aliases)
        ]
        raise without_sizes(owner, found.not_understood, nested)
    return found


def _unknown(config: type[Any], content: Mapping[str, Any], aliases: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yields the keys that the configuration, or a nested one, does not take, with their values."""
    fields = {field.name: field.metadata for field in attrs.fields(config)}
    for key, value in content.items():
        name = aliases.get(key, key)
        if name not in fields:
            yield key, value
        elif isinstance(value, Mapping) and fields[name]:
            metadata = fields[name]
            kind = inner(metadata, value, key)
            if kind is not None:
                for path, held in _unknown(kind.config, kind.prepared(value), kind.aliases):
                    if path != FAMILY or WITHIN in metadata:  # it names a family that was found
                        yield f"{key}.{path}", held
            for setting in value if SETTINGS in metadata else ():
                if setting not in metadata[SETTINGS]:
                    yield f"{key}.{setting}", value[setting]


def _has_size(config: type[Any], content: Mapping[str, Any], aliases: Mapping[str, str]) -> bool:
    """Returns whether a size is read from the content, or the configuration has no sizes."""
    fields = {field.name: field.metadata for field in attrs.fields(config)}
    for key, value in content.items():
        metadata = fields.get(aliases.get(key, key))
        if metadata is None or value is None:
            continue
        kind = inner(metadata, value, key) if isinstance(value, Mapping) else None
        if SIZE in metadata or (kind is not None and _has_size(kind.config, kind.prepared(value), kind.aliases)):
            return True
    return not any({SIZE, WITHIN, INSIDE} & metadata.keys() for metadata in fields.values())
