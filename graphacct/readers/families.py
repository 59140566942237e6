"""The family of a config.json: the one that its `model_type` names, or else its class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.errors import ConfigError, DeclinedError, ReadError, brief
from graphacct.models.keys import FAMILY
from graphacct.models.metadata import SIZE
from graphacct.readers.weight_keys import QUANTIZED

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins
    from graphacct.models.architecture import Architecture

LIBRARY = "the transformers library may have its class: pip install graphacct-torch transformers"
"""What reads a family that graphacct does not know."""
MOST_NAMED = 8
"""The most keys that one message names."""
CLASS_ENDING = r"(For[A-Z]\w*|(With)?LMHeadModel|DoubleHeadsModel|Model)$"
"""The part of a class's name after the family."""


def family_of(content: Mapping[str, Any], plugins: Plugins, file: str) -> tuple[Architecture, str]:
    """Returns the family of a file; and how it is read, if its `model_type` is of its repository's own code
    (`auto_map`) and its class a family's. A type without such code is the library's, and another family for all that is
    known; and a file that leaves out a size is not read so: the defaults of its own type may be others."""
    known = {name: item for item in plugins.architectures.values() for name in item.model_types}
    kind = content.get(FAMILY)
    kind = _by_class(content.get("architectures"), known) if kind is None else kind
    if not isinstance(kind, str):
        from graphacct.readers.foreign import kind_of

        foreign = kind_of(content, file)
        if foreign:
            raise ReadError(foreign)
        raise ReadError(
            f"model_type is {brief(kind)}: a configuration names its family there, as 'llama'; set=model_type=llama "
            "reads the file as that family's"
        )
    if kind not in known:
        from graphacct.models.close_names import closest_family

        by_class = _by_class(content.get("architectures"), known) if content.get("auto_map") else None
        if by_class is not None and not _without(content, known[by_class].load()):
            note = f"model_type {brief(kind)} as {by_class}, by its class {content['architectures'][0]}"
            return known[by_class].load(), note
        close = closest_family(kind, known)
        meant = f"; did you mean {close!r}?" if close else ""
        raise DeclinedError(
            f"no architecture reads model_type {brief(kind)}{meant}{plugins.note_of_left_out()}\n"
            f"{_way_out(content, known, close)}",
            "" if meant else LIBRARY,
        )
    if content.get("auto_map"):
        by_class = _by_class(content.get("architectures"), known)
        if by_class not in (None, kind) and not _takes(known[kind].load(), content["architectures"]):
            note = f"model_type {brief(kind)} as {by_class}, by its class {content['architectures'][0]}"
            return known[by_class].load(), note
    return known[kind].load(), ""


def _takes(architecture: Architecture, names: Any) -> bool:
    """Returns whether a family's configuration takes the names of classes."""
    field = attrs.fields_dict(architecture.config).get("architectures")
    converter: Any = field.converter if field is not None else None
    if field is None or converter is None:
        return True
    try:
        converter.converter(names, field)
    except ConfigError:
        return False
    return True


def of_part(architecture: Architecture, content: Mapping[str, Any]) -> tuple[Architecture, Mapping[str, Any], str]:
    """Returns the family of the model inside a file's that the file's class is of, its keys, and what the header says
    of that; else the file's own."""
    names = content.get("architectures")
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else names
    key = architecture.inner_classes.get(name) if isinstance(name, str) else None
    if key is None:
        return architecture, content, ""
    config = architecture.configured({key: value for key, value in content.items() if key != "architectures"})
    part: Architecture = getattr(config, key).architecture
    held = content.get(key)
    outer = {key: content[key] for key in ("dtype", "torch_dtype", *QUANTIZED) if content.get(key)}
    own = {**outer, **(held if isinstance(held, Mapping) else {}), FAMILY: part.name, "architectures": [name]}
    return part, own, f"{key} of {architecture.name}, by its class {name}"


def _by_class(names: Any, known: Iterable[str]) -> str | None:
    """Returns the family of a file without a `model_type`: the one in its class's name."""
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
    stem = re.sub(CLASS_ENDING, "", name).lower()
    plain = {kind.replace("_", "").replace("-", ""): kind for kind in known}
    return plain.get(stem) or plain.get(f"{stem}text")


def _way_out(content: Mapping[str, Any], known: Mapping[str, Any], close: str | None) -> str:
    """Returns the advice for a model_type that no family reads; `close` is the family that it misspells."""
    by_class = _by_class(content.get("architectures"), known)
    if by_class is not None:
        missing = _without(content, known[by_class].load())
        shown = f"{', '.join(missing[:MOST_NAMED])}{' …' if len(missing) > MOST_NAMED else ''}"
        defaults = f", with that family's defaults for what the file does not give: {shown}" if missing else ""
        return (
            f"its class {content['architectures'][0]} is of {by_class}: set=model_type={by_class} reads it as that"
            f"{defaults}"
        )
    text = content.get("text_config")
    inner = text.get("model_type") if isinstance(text, Mapping) else None
    if isinstance(text, Mapping) and isinstance(inner, str) and inner in known:
        key = next((key for key in QUANTIZED if content.get(key) and not text.get(key)), "")
        also = f", with the file's {key} in it," if key else ""
        return (
            f"its text_config is of {inner}: save that object{also} as a config.json of its own to read the language "
            "model"
        )
    if close is not None:
        return f"set=model_type={close} reads the file as that family's"
    way = "a plugin can register one (docs/writing-a-plugin.md, A family that config.json names)"
    return f"{way}; graphacct list architectures shows all"


def _without(content: Mapping[str, Any], architecture: Architecture) -> list[str]:
    """Returns the sizes of a family that a file does not give in any spelling, less those that may be left out."""
    given = {architecture.aliases.get(key, key) for key in content}
    return [
        field.name
        for field in attrs.fields(architecture.config)
        if SIZE in field.metadata and not field.metadata.get("optional") and field.name not in given
    ]
