"""A config.json that no family of graphacct reads: its class in the transformers library runs without data.

The file's own code (`auto_map`) never runs, and nothing is fetched.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from typing import Any

from graphacct import DeclinedError, Graph, Operator, WeightFormatKind, brief, stated_weights

FILE = "config.json"
QUANTIZED = ("quantization_config", "compression_config", "quantization")
"""Keys that say how weights are stored."""
PEEK = 2**16
"""Bytes that are enough to find a `model_type`."""


def accepts(model: Any) -> bool:
    """Returns whether a path is a config.json, a folder with one, or a JSON file with a `model_type`; or whether an
    object is a mapping with such a key."""
    if isinstance(model, Mapping):
        return "model_type" in model
    if not isinstance(model, str):
        return False
    path = file_of(model)
    if os.path.basename(path) == FILE:
        return os.path.isfile(path)
    if not path.endswith(".json") or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return b'"model_type"' in file.read(PEEK)


def file_of(path: str) -> str:
    """Returns the file of a folder."""
    return os.path.join(path, FILE) if os.path.isdir(path) else path


def content_of(model: Any) -> dict[str, Any]:
    """Returns the keys of a file or mapping. Raises DeclinedError for a file that has none."""
    if isinstance(model, Mapping):
        return dict(model)
    try:
        with open(file_of(model), encoding="utf-8") as file:
            found = json.load(file)
    except (ValueError, OSError) as error:
        raise DeclinedError(f"{model}: {error}") from error
    if not isinstance(found, dict):
        raise DeclinedError(f"{model}: {brief(found)} has no keys")
    return found


def named(model: Any) -> str:
    """Returns what messages call the model. Raises DeclinedError if the library is not there, or has no such family."""
    content = content_of(model)
    if importlib.util.find_spec("transformers") is None:
        raise DeclinedError("the transformers library may have its class: pip install transformers torch")
    from graphacct_torch.reading import library

    kind = content.get("model_type")
    if not isinstance(kind, str) or not library.knows(kind):
        raise DeclinedError(f"{library.version()} has none of that model_type either")
    if isinstance(model, Mapping):
        return str(content.get("_name_or_path") or kind)
    path = file_of(model)
    stem = os.path.splitext(os.path.basename(path))[0]
    return stem if os.path.basename(path) != FILE else os.path.basename(os.path.dirname(os.path.realpath(path))) or stem


def read(
    model: Any,
    operators: Mapping[str, Operator],
    set: Mapping[str, Any] | None = None,
    dtype: str = "",
    phase: str = "forward",
    inputs: Any = None,
    dynamic: Mapping[str, Any] | None = None,
    attention: str = "",
    **sizes: Any,
) -> Graph:
    """Returns the graph of the class that a configuration names.

    Args:
        model: A path, or a mapping with the keys of a file.
        operators: The registered operators.
        set: Keys that replace those of the file.
        dtype: Of the parameters and inputs; the file's own unless given.
        phase: `train` keeps the dropout that the class has then.
        inputs: Inputs in place of those that are made, or beside them.
        dynamic: The dimensions of inputs that are symbols, by the symbol's name.
        attention: How the class computes attention: `eager` or `fused`; its own choice unless given.
        sizes: `batch`, `seq_len`, `encoder_seq_len`, `image_size`.

    Raises CaptureError for a configuration that the class refuses, and an input that cannot be made.
    """
    from graphacct_torch.reading.overrides import overridden
    from graphacct_torch.reading.through import graph_through

    content = overridden(content_of(model), set or {})
    return graph_through(named(model), content, operators, dtype, phase, inputs, sizes, dynamic, attention)


def weights(model: Any, overrides: Mapping[str, Any], kinds: Mapping[str, WeightFormatKind]) -> Any:
    """Returns how the keys of a configuration, or a file beside it, say that its weights are stored; None if they say
    nothing. The keys that a user overrides decide before any file."""
    from graphacct_torch.reading.overrides import overridden

    beside = isinstance(model, str) and not any(key in overrides for key in QUANTIZED)
    return stated_weights(overridden(content_of(model), overrides), model if beside else "", kinds)
