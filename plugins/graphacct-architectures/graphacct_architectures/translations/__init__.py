"""Descriptions of these families' models in other forms than a config.json, each imported when one is met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from graphacct import Translation

Content = Mapping[str, Any]
ARCHITECTURE = "general.architecture"


def _gguf_places(content: Content, name: str) -> Sequence[str]:
    places: Sequence[str] = import_module(f"{__name__}.gguf_names").places(content, name)
    return places


def _has(*keys: str) -> Callable[[Content], bool]:
    return lambda content: all(key in content for key in keys)


def _of(module: str) -> Callable[[Content], Mapping[str, Any]]:
    def config(content: Content) -> Mapping[str, Any]:
        keys: Mapping[str, Any] = import_module(f"{__name__}.{module}").config(content)
        return keys

    return config


TRANSLATIONS = (
    Translation("gguf", "The metadata of a GGUF file (llama.cpp).", _has(ARCHITECTURE), _of("gguf"), _gguf_places),
    Translation(
        "params-json", "Meta's and Mistral's params.json.", _has("dim", "n_layers", "n_heads"), _of("params_json")
    ),
    Translation(
        "hparams-json", "Original GPT-2's hparams.json.", _has("n_vocab", "n_embd", "n_layer"), _of("hparams_json")
    ),
)
