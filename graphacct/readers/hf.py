"""Hugging Face's config.json: the configuration of a model that somebody has on disk.

A file holds only the values that differ from its class's defaults, and older files use older keys. An unknown key that
changes the cost is an error; every other unknown key is ignored. Code that a file names (`auto_map`) is never run, and
nothing is fetched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from graphacct.errors import GraphacctError, ReadError, brief, suggest
from graphacct.files import read_json

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins
    from graphacct.models.architecture import Architecture

FILE = "config.json"
MOST_BYTES = 16 * 2**20
"""The largest config.json that is read; published ones have some kB."""
PEEK = 2**16
"""Bytes that are enough to recognise a saved graph; a config.json may have a thousand labels before its
`model_type`."""
CLASS_ENDING = r"(For[A-Z]\w*|(With)?LMHeadModel|DoubleHeadsModel|Model)$"
"""The part of a class's name after the family."""


def accepts(model: Any) -> bool:
    """Returns whether a path is a config.json, another file with a `model_type`, or a folder with a config.json; or
    whether an object is a mapping with such keys."""
    if not isinstance(model, str):
        return isinstance(model, Mapping) and ("model_type" in model or "architectures" in model)
    path = model
    if os.path.isdir(path):
        return os.path.isfile(os.path.join(path, FILE))
    if os.path.basename(path) == FILE:
        return True
    if not path.endswith(".json") or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        start = file.read(PEEK)
        if b"graphacct.graph/" in start:
            return False
        rest = file.read(MOST_BYTES) if b'"model_type"' not in start else b""
    return b'"model_type"' in start or b'"model_type"' in rest


def find(model: Any, plugins: Plugins) -> tuple[str, Architecture, Any]:
    """Returns the model's name, its architecture and its configuration, from a path or from a mapping with a file's
    keys.

    Raises ReadError, which names the file, the key, the value and what was expected.
    """
    if isinstance(model, Mapping):
        try:
            architecture = _architecture(model, plugins)
            return _called(model) or architecture.name, architecture, architecture.configured(model)
        except GraphacctError as error:
            raise ReadError(f"the configuration: {error}") from error
    file = os.path.join(model, FILE) if os.path.isdir(model) else model
    content = read_json(file, MOST_BYTES, constants=float)
    try:
        if not isinstance(content, dict):
            raise ReadError(f"is {brief(content)}, not an object with the keys of a configuration")
        architecture = _architecture(content, plugins)
        return _name(file), architecture, architecture.configured(content)
    except GraphacctError as error:
        raise ReadError(f"{file}: {error}") from error


def _architecture(content: Mapping[str, Any], plugins: Plugins) -> Architecture:
    known = {name: item for item in plugins.architectures.values() for name in item.model_types}
    kind = content.get("model_type") or _by_class(content.get("architectures"), known)
    if not isinstance(kind, str):
        raise ReadError(f"model_type is {brief(kind)}: a configuration names its family there, as 'llama'")
    if kind not in known:
        raise ReadError(
            f"no architecture reads model_type {brief(kind)}{suggest(kind, known)}\n{_way_out(content, known)}"
        )
    found: Architecture = known[kind].load()
    return found


def _by_class(names: Any, known: Iterable[str]) -> str | None:
    """Returns the family of a file without a `model_type`: the one in its class's name."""
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
    stem = re.sub(CLASS_ENDING, "", name).lower()
    return next((kind for kind in known if kind.replace("_", "") == stem), None)


def _way_out(content: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """Returns the advice for a model_type that no family reads."""
    text = content.get("text_config")
    inner = text.get("model_type") if isinstance(text, Mapping) else None
    if isinstance(inner, str) and inner in known:
        return f"its text_config is of {inner}: save that object as a config.json of its own to read the language model"
    way = "a plugin can register one (docs/writing-a-plugin.md, A family that config.json names)"
    return f"{way}; graphacct list architectures shows all"


def _called(content: Mapping[str, Any]) -> str:
    """Returns the model's name according to its configuration: the last part of `org/model`, or empty."""
    name = content.get("_name_or_path")
    return os.path.basename(os.path.normpath(name)) if isinstance(name, str) and name else ""


def _name(file: str) -> str:
    """Returns the model's name: the folder's, or the file's if that says more."""
    name = os.path.basename(file)
    if name != FILE:
        return os.path.splitext(name)[0]
    return os.path.basename(os.path.dirname(os.path.realpath(file))) or os.path.splitext(name)[0]
