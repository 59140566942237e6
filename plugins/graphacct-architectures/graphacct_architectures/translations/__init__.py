"""Descriptions of these families' models in other forms than a config.json, each imported when one is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from graphacct import Translation

Content = Mapping[str, Any]
ARCHITECTURE = "general.architecture"


def _gguf(content: Content) -> Mapping[str, Any]:
    keys: Mapping[str, Any] = import_module(f"{__name__}.gguf").config(content)
    return keys


def _gguf_places(content: Content, name: str) -> Sequence[str]:
    places: Sequence[str] = import_module(f"{__name__}.gguf_names").places(name, content["tensors"][name])
    return places


TRANSLATIONS = (
    Translation(
        "gguf", "The metadata of a GGUF file (llama.cpp).", lambda content: ARCHITECTURE in content, _gguf, _gguf_places
    ),
)
