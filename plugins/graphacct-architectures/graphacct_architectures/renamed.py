"""Models that are another family's under another name: a row of data each.

The graph, the classes and the tensors' names are the other family's. A row has what differs: the `model_type`, the
beginning of the names of its classes, other spellings of keys, and the defaults of keys that a file leaves out.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from graphacct import ConfigError, LazyArchitecture, PresetFiles, frozen

if TYPE_CHECKING:
    from graphacct import Architecture

HERE = os.path.dirname(__file__)
NOTHING: Mapping[str, Any] = {}


@attrs.frozen(eq=False, repr=False)
class RenamedArchitecture(LazyArchitecture):
    """An architecture that is another one under another name; `module` is the other one's.

    Attributes:
        classes: How the names of its classes begin, and how the other's do: `XLMRoberta` for `Roberta`.
        defaults: The defaults of its configuration class that differ from the other's.
        facts: What its class does otherwise and no file states, by the name of a class variable of the other's
            configuration: `head_owns`.
        published: Its presets.
        keys: Spellings of keys that the other family does not have.
        no_cost: Keys of its files that change no cost, each with the values at which it changes none (None: any).
        doc: One sentence.
    """

    published: Mapping[str, Any] = NOTHING
    classes: tuple[str, str] = ("", "")
    defaults: Mapping[str, Any] = NOTHING
    facts: Mapping[str, Any] = NOTHING
    keys: Mapping[str, str] = NOTHING
    no_cost: Mapping[str, tuple[Any, ...] | None] = NOTHING
    doc: str = ""

    def load(self) -> Architecture:
        """Returns the architecture itself, made on the first call."""
        return _made(self)


def renamed(name: str, path: str, *, types: tuple[str, ...] = (), **differences: Any) -> RenamedArchitecture:
    """Returns the family in a file under another name, which is its `model_type` unless `types` are given. Its presets
    are beside those of the file's family."""
    presets = PresetFiles(f"{HERE}/{path.partition('.')[0]}/{name.replace('-', '_')}.py")
    module = f"graphacct_architectures.{path}"
    return RenamedArchitecture(name, module, presets, types or (name,), published=presets, **differences)


@cache
def _made(row: RenamedArchitecture) -> Architecture:
    other: Architecture = importlib.import_module(row.module).ARCHITECTURE
    build: Any = other.build
    if hasattr(build, "stem"):  # a decoder's, whose messages name the family
        build = attrs.evolve(build, name=row.name, stem=build.stem or row.classes[1] or other.name)
    return attrs.evolve(
        other,
        name=row.name,
        build=build,
        config=configuration(row, other.config),
        presets=row.published,
        aliases={**other.aliases, **row.keys},
        no_cost={**other.no_cost, **row.no_cost},
        model_types=row.model_types,
        doc=row.doc or f"{other.name} under another name.",
    )


def configuration(row: RenamedArchitecture, other: type[Any]) -> type[Any]:
    """Returns the other family's configuration class with this one's defaults and names of classes."""
    changed: dict[str, Any] = {}
    for field in attrs.fields(other):
        default = row.defaults.get(field.name, field.default)
        converter = field.converter
        if field.name == "architectures" and row.classes[0]:
            converter = _classes_of(row, field)
        elif default is field.default:
            continue
        changed[field.name] = attrs.field(default=default, converter=converter, metadata=field.metadata)
    names = {field.name for field in attrs.fields(other)}
    unknown = {*(set(row.defaults) - names), *(name for name in row.facts if not hasattr(other, name))}
    if unknown:
        raise ConfigError(f"{row.name}: {other.__name__} has no {', '.join(sorted(unknown))}")
    name = f"{row.classes[0] or row.name}Config"
    body = dict(row.facts)
    if hasattr(other, "spelled"):
        body["spelled"] = row.classes
    annotations = dict.fromkeys(changed, "Any")
    return frozen(type(name, (other,), {**body, **changed, "__annotations__": annotations}), kw_only=True)


def _classes_of(row: RenamedArchitecture, field: Any) -> Any:
    """Returns the converter of `architectures` that takes this family's names of classes for the other's."""
    own, others = row.classes

    def check(value: Any, same: attrs.Attribute[Any]) -> Any:
        names = [value] if isinstance(value, str) else value
        if isinstance(names, list) and names and isinstance(names[0], str) and names[0].startswith(own):
            value = [others + names[0][len(own) :]]
        try:
            return field.converter.converter(value, same)
        except ConfigError as error:
            raise ConfigError(str(error).replace(others, own)) from error

    return attrs.Converter(check, takes_field=True)
