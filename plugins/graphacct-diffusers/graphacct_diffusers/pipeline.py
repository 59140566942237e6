"""Files of a diffusers pipeline: a part's config.json names its class, and model_index.json the parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphacct import ReadError, brief, suggest

MOST_NAMED = 8
"""The most parts that a message names."""
PIPELINE = "Pipeline"
"""Part of the name of a pipeline's class."""
FOLDERS = "give the folder of one of its parts, as FOLDER/unet or FOLDER/transformer"
THROUGH = "graphacct report FILE.py:function counts a module of torch (graphacct-torch)"


def part(content: Mapping[str, Any], known: Sequence[str]) -> Mapping[str, Any]:
    """Returns the keys of a part as those of a config.json with a `model_type`. Raises ReadError for a pipeline, a
    scheduler and a class that no family reads."""
    kind = content.get("_class_name")
    models = parts_of(content) if isinstance(kind, str) and PIPELINE in kind else {}
    if models:
        some = ", ".join(f"{name} ({kind})" for name, kind in list(models.items())[:MOST_NAMED])
        first = next((name for name, kind in models.items() if kind in known), next(iter(models)))
        raise ReadError(
            f"is diffusers' model_index.json: a pipeline of several models: {some}\n"
            f"give the folder of one of them: FOLDER/{first}"
        )
    if not isinstance(kind, str):
        raise ReadError(
            f"is the configuration of a part of a diffusers pipeline, whose _class_name is {brief(kind)}: name its "
            f"class there; known: {', '.join(known)}"
        )
    if kind.endswith(("Scheduler", "Processor", "Tokenizer")):
        raise ReadError(f"is a {brief(kind)} of a diffusers pipeline, which is no model\ngive a folder beside it")
    if PIPELINE in kind:
        raise ReadError(f"is diffusers' model_index.json, of the class {brief(kind)}, and names no model\n{FOLDERS}")
    if kind not in known:
        near = suggest(kind, known)
        raise ReadError(
            f"is the configuration of a part of a diffusers pipeline, of the class {brief(kind)}, which is not "
            f"read{near}\n{THROUGH}"
        )
    return {**content, "model_type": kind}


def parts_of(content: Mapping[str, Any]) -> dict[str, str]:
    """Returns the models of a pipeline, with their classes: those that are pairs of a library and a class."""
    found = {}
    for name, value in content.items():
        pair = isinstance(value, (list, tuple)) and len(value) == 2 and all(isinstance(part, str) for part in value)
        if pair and not name.startswith("_") and not str(value[1]).endswith(NO_MODELS):
            found[name] = str(value[1])
    return found


NO_MODELS = ("Scheduler", "Processor", "Extractor", "Tokenizer", "TokenizerFast")
"""Endings of classes of a pipeline that are no models."""
