"""Files of a diffusers pipeline: a part's config.json names its class, and model_index.json the parts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from graphacct import ReadError, brief, suggest

MOST_NAMED = 8
"""The most parts that a message names."""
MOST_LETTERS = 40
"""The most letters of a part's name, and of its class's."""
PIPELINE = "Pipeline"
"""Part of the name of a pipeline's class."""
FOLDERS = "give the folder of one of its parts, as FOLDER/unet or FOLDER/transformer"
THROUGH = "graphacct report FILE.py:function counts a module of torch (graphacct-torch)"
FILE = "config.json"
FAMILY = "diffusion_pipeline"
"""The `model_type` that stands for a whole pipeline."""
CODERS = ("AutoencoderKL", "AutoencoderTiny", "AutoencoderKLWan", "AutoencoderKLQwenImage")
"""The autoencoders that are read in a pipeline: their modules here have an `encode` and a `decode`."""
TEXTS = ("text_encoder", "text_encoder_2", "text_encoder_3")
PARTS = ("unet", "transformer", "transformer_2", "vae", *TEXTS)
"""The parts of a pipeline that are put together."""
PIPELINES = (
    "StableDiffusionPipeline",
    "StableDiffusionXLPipeline",
    "StableDiffusion3Pipeline",
    "FluxPipeline",
    "ChromaPipeline",
    "AuraFlowPipeline",
    "QwenImagePipeline",
    "WanPipeline",
    "PixArtAlphaPipeline",
    "PixArtSigmaPipeline",
)
"""The classes of pipelines that are put together: from a text to a picture or a video."""
ASIDE = {
    "safety_checker": "the safety_checker",
    "image_encoder": "the image_encoder, for adapters that are told images",
}
"""Models of these pipelines that make no picture."""


def part(content: Mapping[str, Any], known: Sequence[str]) -> Mapping[str, Any]:
    """Returns the keys of a part, or of a whole pipeline, as those of a config.json with a `model_type`. Raises
    ReadError for a pipeline that is not put together, a scheduler and a class that no family reads."""
    kind = content.get("_class_name")
    models = parts_of(content) if isinstance(kind, str) and PIPELINE in kind else {}
    if models:
        return whole(content, models, known)
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


def beside(content: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the files of a pipeline's parts, below its folder; none for a pipeline that is not put together."""
    if content.get("_class_name") not in PIPELINES:
        return ()
    return tuple(f"{name}/{FILE}" for name in parts_of(content) if name in PARTS)


def whole(content: Mapping[str, Any], models: Mapping[str, str], known: Sequence[str]) -> Mapping[str, Any]:
    """Returns the keys of a pipeline: those of each part under its name. Raises ReadError, which says how to report
    its parts one by one, for a pipeline that is not put together."""
    kind = str(content["_class_name"])
    if kind not in PIPELINES:
        raise _apart(models, known, f"of the class {brief(kind)}, whose parts are reported one by one")
    strange = [name for name in models if name not in (*PARTS, *ASIDE)]
    if strange:
        raise _apart(models, known, f"whose {brief(strange[0])} no {brief(kind)} has")
    for name in PARTS:
        value = content.get(name)
        if name not in models and value not in (None, [None, None]):
            raise ReadError(f"has {brief(value)} as {name}, which is a library and a class, or null: {FOLDERS}")
    found: dict[str, Any] = {"model_type": FAMILY, "_class_name": kind}
    for name, cls in models.items():
        if name in ASIDE:
            found[name] = cls
            continue
        if name not in TEXTS and cls not in (CODERS if name == "vae" else known):
            raise _apart(models, known, f"whose {name} is of the class {brief(cls)}, which is not read in a pipeline")
        keys = content.get(f"{name}/{FILE}")
        if not isinstance(keys, Mapping):
            said = "is not there" if keys is None else f"is {brief(keys)}"
            raise _apart(models, known, f"whose {name}{os.sep}{FILE} {said}")
        found[name] = {**keys, "architectures": [cls]} if name in TEXTS else {**keys, "model_type": cls}
    settings = {key: value for key, value in content.items() if not isinstance(value, (list, tuple, Mapping))}
    return {**settings, **found}


def _apart(models: Mapping[str, str], known: Sequence[str], why: str) -> ReadError:
    """Returns the error for a pipeline whose parts are reported one by one, with the command for each."""
    names = [name for name in models if name.isidentifier() and models[name].isidentifier()]
    names = sorted(names, key=lambda name: models[name] not in known)[:MOST_NAMED]
    ways = ", ".join(f"graphacct report FOLDER/{name[:MOST_LETTERS]} ({models[name][:MOST_LETTERS]})" for name in names)
    return ReadError(f"is diffusers' model_index.json: a pipeline of several models, {why}\n{ways or FOLDERS}")
