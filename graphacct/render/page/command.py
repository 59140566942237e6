"""The command that gives a page's report again: what a reader types for sizes that no formula of the page is for."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from graphacct.keywords import DEFAULTS

NAMED = {"set": "--set", "inputs": "--input", "dynamic": "--dynamic"}
"""Keywords that hold several values by name, each with its flag."""
REPEATED = {"lora": "--lora", "freeze": "--freeze", "transforms": "--transform"}
"""Keywords that hold several values, each with its flag."""
NO_PART = "quantities"
"""The keyword that changes no number."""


def command_of(model: object, options: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns what a reader types for the report of a model with the `options` of `account`, in words: the name of the
    keyword or key that each gives, and its text. Empty if nobody can type it: a model or an option is an object.

    >>> command_of("gpt2", {"phase": "train", "set": {"n_layer": 3}})[2:]
    [('phase', '--phase train'), ('n_layer', '--set n_layer=3')]
    """
    if not isinstance(model, (str, os.PathLike)):
        return []
    found = [("", "graphacct report"), ("", shlex.quote(os.fspath(model)))]
    for name, value in options.items():
        if value is None or value == DEFAULTS.get(name) or name == NO_PART:
            continue
        words = _named(name, value) if name in NAMED else _plain(name, value)
        if words is None:
            return []
        found += words
    return found


def _named(name: str, values: Any) -> list[tuple[str, str]] | None:
    """Returns the words of values by name; None for what is no text, number or object of JSON."""
    if not isinstance(values, Mapping):
        return None
    try:
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    except TypeError:
        return None
    return [(key, f"{NAMED[name]} {shlex.quote(f'{key}={text}')}") for key, text in texts.items()]


def _plain(name: str, value: Any) -> list[tuple[str, str]] | None:
    """Returns the words of a keyword, which may hold several texts; None for another object."""
    several = name in REPEATED and not isinstance(value, str)
    values: Iterable[Any] = value if several else [value]
    flag = REPEATED.get(name, f"--{name.replace('_', '-')}")
    texts = [_sides(each) if name == "image_size" else each for each in values]
    if not all(isinstance(each, (str, int, float)) for each in texts):
        return None
    return [(name, f"{flag} {shlex.quote(str(each))}") for each in texts]


def _sides(size: Any) -> Any:
    """Returns a height and a width as they are typed, 224x336; any other size as it is."""
    return "x".join(map(str, size)) if isinstance(size, (tuple, list)) else size
