"""What is said of sizes that nobody gave, so that nobody takes a class's defaults for a model's sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct.models.architecture import Architecture
from graphacct.models.metadata import SIZE

MAIN = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
"""The sizes that every published file of a model gives, in this spelling or another one: most of the cost is theirs.
Others, such as `num_channels`, are left out by many files."""


def of_family(architecture: Architecture, overrides: Mapping[str, Any]) -> str:
    """Returns what is said of a model that only a family's name was given for; empty if a user sets its main sizes."""
    if not _missing(architecture, overrides) and _missing(architecture, {}):
        return ""
    name = architecture.name  # one such as llava has all its sizes in nested objects
    others = (
        f"presets (graphacct list {name}) and config.json files have" if architecture.presets else "a config.json has"
    )
    return f"every size that you do not set is that of the class of {name}; {others} others"


def left_out(architecture: Architecture, content: Mapping[str, Any]) -> str:
    """Returns which of the main sizes the keys of a file leave to their class, with the values; empty if it gives all.

    Those of its nested objects are not named: the transformers library leaves them out there if they equal the
    defaults, at the top level never.
    """
    content = content if architecture.prepare is None else architecture.prepare(content)
    missing = [f"{name} {size:,}" for name, size in _missing(architecture, content).items()]
    return f"{', '.join(missing)} of the class of {architecture.name}, which the file leaves out" if missing else ""


def _missing(architecture: Architecture, content: Mapping[str, Any]) -> dict[str, int]:
    """Returns the main sizes that the keys do not give, each with its default."""
    given = {architecture.aliases.get(key, key) for key in content}
    missing = {
        field.name: field.default
        for field in attrs.fields(architecture.config)
        if SIZE in field.metadata and field.name not in given and type(field.default) is int
    }
    if not missing:
        return {}
    from graphacct.models.near_keys import spellings  # few files leave out a size

    main = {name for size in MAIN for name in spellings(size)}
    return {name: size for name, size in missing.items() if name in main}
