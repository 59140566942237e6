"""Names of models on the Hugging Face Hub, and what is said of a model's name that nothing has.

`Qwen/Qwen3-8B` finds the preset that its family's `presets/FAMILY/hub_names.txt` gives that name. Nothing is fetched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from typing import TYPE_CHECKING

import attrs

from graphacct.errors import ReadError, UnknownNameError, brief
from graphacct.models.close_names import FEW, TRAINING, closest_preset, of_other_sizes, read_name

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins

HOSTS = re.compile(r"(?i)(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/|hf://")
"""What stands before a repository's name in an address."""
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
REVISION = re.compile(r"/(?:tree|blob|resolve|raw)/([^/]+)(?:/.*)?$|@([\w./-]+)$|:([\w.-]+)$")
"""What follows a repository's name: a branch with a file, or the tag of a file."""
CACHED = re.compile(r"models--([\w.-]+?)--([\w.-]+)")
"""A repository's folder in the cache of the hub."""
MAIN = "main"
FILES = (".json", ".gguf", ".safetensors", ".onnx", ".bin", ".pt", ".pth", ".py")
"""Endings of files, which are no models' names."""


@attrs.frozen
class Repository:
    """A repository as it was typed.

    Attributes:
        name: Its name, `organisation/model`, or the model alone.
        revision: Its branch or tag; empty for the main one.
    """

    name: str
    revision: str


def repository(typed: str) -> Repository:
    """Returns the repository that a name or an address means.

    >>> repository("https://huggingface.co/Qwen/Qwen3-8B/blob/main/config.json")
    Repository(name='Qwen/Qwen3-8B', revision='')
    >>> repository("Qwen/Qwen3-8B@v1")
    Repository(name='Qwen/Qwen3-8B', revision='v1')
    """
    name = typed.strip()
    at = HOSTS.match(name)
    if at is not None:
        name = re.sub(r"[?#].*", "", name[at.end() :])
    name = name.strip("/")
    cached = CACHED.fullmatch(name)
    if cached is not None:
        name = f"{cached[1]}/{cached[2]}"
    found = REVISION.search(name) if at is not None or HUB_NAME.match(name) else None
    if found is None:
        return Repository(name, "")
    revision = next(part for part in found.groups() if part)
    return Repository(name[: found.start()], "" if revision == MAIN else revision)


def preset_of_hub_name(name: str, plugins: Plugins) -> str | None:
    """Returns the preset of a repository, in any case, with or without its organisation, as a name or an address; None
    if no family has it, and for another branch than the main one."""
    found = repository(name)
    if found.revision:
        return None
    wanted = found.name.lower()
    for item in plugins.architectures.values():
        names = getattr(item.presets, "hub_names", {})
        preset: str | None = names.get(wanted) or names.get(f"/{wanted}")
        if preset is not None:
            return preset
    return None


def trained_from(name: str, plugins: Plugins) -> tuple[str, str] | None:
    """Returns the preset of a repository that says in its name only another training than a listed one of the same
    organisation, and what a report says of that: `Qwen/Qwen2.5-7B-Instruct` has the layers of `Qwen/Qwen2.5-7B`. None
    if none does, or if several presets do. A name must state its parameters: `base` is a size in t5-base."""
    found = repository(name)
    wanted = _without_training(found.name)
    if found.revision or not wanted or not read_name(found.name.rpartition("/")[2]).states_parameters:
        return None
    listed = {
        known: preset
        for item in plugins.architectures.values()
        for known, preset in getattr(item.presets, "hub_names", {}).items()
        if _without_training(known) in (wanted, f"/{wanted}")
    }
    if len(set(listed.values())) != 1:
        return None
    preset = next(iter(listed.values()))
    return preset, (
        f"{found.name} as the preset {preset}, of the same layers by its name; its config.json may state another "
        "context or vocabulary"
    )


def _without_training(name: str) -> str:
    """Returns a repository's name in small letters without the words that say how the model was trained.

    >>> _without_training("mistralai/Mistral-7B-Instruct-v0.3")
    'mistralai/mistral-7b-v0.3'
    """
    owner, slash, model = name.lower().rpartition("/")
    return owner + slash + "-".join(part for part in model.split("-") if part not in TRAINING)


def unknown_model(name: str, presets: Collection[str], families: Collection[str], plugins: Plugins) -> Exception:
    """Returns the error for a name of a model that nothing has: for a hub name, that nothing is fetched."""
    plain = repository(name).name
    left_out = plugins.note_of_left_out()
    organisation = plain.partition("/")[0]
    address = HOSTS.match(name.strip()) is not None
    if address or (HUB_NAME.fullmatch(plain) and not plain.endswith(FILES) and not os.path.isdir(organisation)):
        return UnknownNameError(
            f"{brief(name)} is no file here, and the hub name of no preset; nothing is fetched: download the "
            f"repository's config.json and give its path{_preset_instead(plain, presets, plugins)}{left_out}"
        )
    if "://" in name:
        return UnknownNameError(
            f"{brief(name)} is an address, and nothing is fetched: download the model's config.json and give its path, "
            "or take a preset (graphacct list architectures shows all)"
        )
    if os.sep in name or name.endswith(FILES):
        return ReadError(f"no such file: {name!r}")
    return UnknownNameError(
        f"unknown model {brief(name)}{suggest_model(name, presets, families)}{left_out} "
        "(graphacct list architectures shows all)"
    )


def _preset_instead(hub_name: str, presets: Collection[str], plugins: Plugins) -> str:
    """Returns the advice to take a preset in place of a repository: the one of that very name, or of the same size."""
    model = hub_name.rpartition("/")[2]
    same = preset_of_hub_name(model, plugins) or (model.lower() if model.lower() in presets else None)
    if same is not None:
        return f", or take the preset {same!r}, a model of that name"
    close = closest_preset(model, presets) if read_name(model).sizes else None
    return f", or take the preset {close!r}, the closest of the same size" if close else ""


def suggest_model(name: str, presets: Collection[str], families: Collection[str]) -> str:
    """Returns the tail of the message for an unknown model: the closest preset, never of another size, or the closest
    family; or the presets of other sizes, said to be that."""
    close = closest_preset(name, presets, families)
    if close is not None:
        version = read_name(name).numbers <= read_name(close).all_numbers
        return f"; did you mean {close!r}?" if version else f"; the closest of the same size is {close!r}"
    others = of_other_sizes(name, presets)
    shown = ", ".join(others[:FEW]) + (", …" if len(others) > FEW else "")
    return f"; there is none of that size: {shown}" if others else ""
