"""A folder of sentence-transformers: its modules.json names what follows the transformer (pooling, a dense layer).

The transformer is the base model of the folder's config.json, whatever head its class has (sentence_transformers,
models/Transformer.py: AutoModel). What follows it is left out, and the report says so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from graphacct.errors import ReadError, brief
from graphacct.files import read_json

FILE = "modules.json"
MOST_BYTES = 2**20
MOST_MODULES = 16
HEAD = re.compile(r"(For[A-Z]\w*|WithLMHeadModel|LMHeadModel)$")
FREE = frozenset(["Normalize", "Dropout"])
"""Modules without parameters or products; pooling has none either, and is named."""


def of_base_model(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a config.json's keys with the class of the base model."""
    classes = content.get("architectures")
    if not isinstance(classes, list) or not classes or not isinstance(classes[0], str):
        return dict(content)
    return {**content, "architectures": [HEAD.sub("Model", classes[0])]}


def following(path: str) -> str:
    """Returns what follows the transformer, as text: empty if nothing does. Raises ReadError, which names the file, for
    one that is no list of modules."""
    modules = read_json(path, MOST_BYTES, constants=float)
    if not isinstance(modules, list) or len(modules) > MOST_MODULES or not all(map(_is_module, modules)):
        raise ReadError(f"{path}: is {brief(modules)}, not a list of modules with a path and a type")
    parts = [_part(os.path.dirname(path), module) for module in modules[1:]]
    return ", ".join(filter(None, parts))


def _is_module(module: Any) -> bool:
    return isinstance(module, dict) and all(isinstance(module.get(key), str) for key in ("path", "type"))


def _part(folder: str, module: Mapping[str, str]) -> str:
    kind = module["type"].rpartition(".")[2]
    if not kind.isidentifier():
        raise ReadError(f"{os.path.join(folder, FILE)}: {brief(module['type'])} is no class of a module")
    if kind in FREE:
        return ""
    file = os.path.join(folder, os.path.basename(os.path.normpath(module["path"])), "config.json")
    if kind != "Dense" or not os.path.isfile(file):
        return kind
    settings = read_json(file, MOST_BYTES, constants=float)
    sizes: list[Any] = (
        [settings.get(key) for key in ("in_features", "out_features")] if isinstance(settings, dict) else []
    )
    if len(sizes) != 2 or not all(type(size) is int and 0 < size < 2**31 for size in sizes):
        raise ReadError(f"{file}: is {brief(settings)}, not a dense layer's in_features and out_features")
    inside, outside = sizes
    params = inside * outside + (outside if settings.get("bias", True) else 0)
    return f"Dense ({inside:,} to {outside:,}, {params:,} parameters)"
