"""Presets as files: a model's published config.json without the keys that do not change the cost."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from typing import Any

from graphacct.files import read_json

ENDING = ".json"
HUB_NAMES = "hub_names.txt"
"""The file, beside the presets, of their names on the Hugging Face Hub."""
SOURCES = "sources.txt"
"""The file, beside the presets, that says where the sizes of a model without a hub name were published."""


class PresetFiles(Mapping[str, Mapping[str, Any]]):
    """The keys of each published configuration of a family, by the model's name.

    The presets of the family in `llama.py` are the files `presets/llama/NAME.json` beside it. A file is read on first
    use, so that a report of one model reads one file.
    """

    def __init__(self, family: str) -> None:
        """`family` is the path of the family's module, its `__file__`."""
        self.family = family
        self._asked = False

    @cached_property
    def folder(self) -> str:
        """The folder of the files."""
        folder, module = os.path.split(self.family)
        return os.path.join(folder, "presets", os.path.splitext(module)[0])

    @cached_property
    def hub_names(self) -> Mapping[str, str]:
        """The preset of each repository on the Hugging Face Hub that has this very model, by its name in small letters
        with the organisation (`qwen/qwen3-8b`), and without it after a slash (`/qwen3-8b`).

        Each line of the file `hub_names.txt` is a preset's name and its repositories. A repository whose config.json
        has other sizes (a fine-tuned model with a shorter context) is not in it.
        """
        full = {name.lower(): preset for preset, names in self._lines(HUB_NAMES) for name in names.split()}
        return {**{f"/{name.rpartition('/')[2]}": preset for name, preset in full.items()}, **full}

    @cached_property
    def sources(self) -> Mapping[str, str]:
        """Where the sizes of each preset were published: the first of its repositories, whose config.json has them, or
        what `sources.txt` says of it (each line is a preset's name and a text)."""
        hub = {preset: names.split()[0] for preset, names in self._lines(HUB_NAMES)}
        return {**hub, **dict(self._lines(SOURCES))}

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        """Raises KeyError for a name that has no file, ReadError for a file that is not JSON."""
        if name not in self:
            raise KeyError(name)
        content: Mapping[str, Any] = read_json(self._path(name))
        return content

    def __contains__(self, name: object) -> bool:
        """Returns whether a file has the name. Each family is asked for the name of a model: the first question, which
        is often the only one, lists no folder."""
        if not self._asked:
            self._asked = True
            room, module = os.path.split(self.family)
            has_folder = os.path.splitext(module)[0] in _folders(room)
            if not has_folder or not os.path.isfile(self._path(str(name))):
                return False
        return name in self.names  # a path, or other capital letters on some file systems, are no name

    def __iter__(self) -> Iterator[str]:
        """Yields the names, sorted with their numbers by value: 7b comes before 13b."""
        return iter(sorted(self.names, key=_words_and_numbers))

    @cached_property
    def names(self) -> frozenset[str]:
        """The names, in no order."""
        if not os.path.isdir(self.folder):
            return frozenset()
        return frozenset(file.removesuffix(ENDING) for file in os.listdir(self.folder) if file.endswith(ENDING))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _lines(self, file: str) -> list[tuple[str, str]]:
        """Returns the first word and the rest of each line of a file beside the presets; nothing if there is none."""
        path = os.path.join(self.folder, file)
        if not os.path.isfile(path):
            return []
        with open(path, encoding="utf-8") as lines:
            return [(first, rest.strip()) for first, _, rest in (line.strip().partition(" ") for line in lines) if rest]

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name + ENDING)


@cache
def _folders(room: str) -> frozenset[str]:
    """Returns the names of the folders of presets beside families, of which few have one."""
    path = os.path.join(room, "presets")
    return frozenset(os.listdir(path)) if os.path.isdir(path) else frozenset()


def _words_and_numbers(name: str) -> list[str | int]:
    """`llama-2-7b` as ["llama-", 2, "-", 7, "b"]."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
