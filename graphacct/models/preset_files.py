"""Presets as files: a model's published config.json without the keys that do not change the cost."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from graphacct.files import read_json

ENDING = ".json"
HUB_NAMES = "hub_names.txt"
"""The file, beside the presets, of their names on the Hugging Face Hub."""


class PresetFiles(Mapping[str, Mapping[str, Any]]):
    """The keys of each published configuration of a family, by the model's name.

    The presets of the family in `llama.py` are the files `presets/llama/NAME.json` beside it. A file is read on first
    use, so that a report of one model reads one file.
    """

    def __init__(self, family: str) -> None:
        """`family` is the path of the family's module, its `__file__`."""
        self.family = family

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
        path = os.path.join(self.folder, HUB_NAMES)
        if not os.path.isfile(path):
            return {}
        with open(path, encoding="utf-8") as file:
            lines = [line.split() for line in file]
        full = {name.lower(): preset for preset, *names in lines for name in names}
        return {**{f"/{name.rpartition('/')[2]}": preset for name, preset in full.items()}, **full}

    def __getitem__(self, name: str) -> Mapping[str, Any]:
        """Raises KeyError for a name that has no file, ReadError for a file that is not JSON."""
        if name not in self:
            raise KeyError(name)
        content: Mapping[str, Any] = read_json(self._path(name))
        return content

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and os.path.basename(name) == name and os.path.isfile(self._path(name))

    def __iter__(self) -> Iterator[str]:
        """Yields the names, sorted with their numbers by value: 7b comes before 13b."""
        files = os.listdir(self.folder) if os.path.isdir(self.folder) else []
        names = [file.removesuffix(ENDING) for file in files if file.endswith(ENDING)]
        return iter(sorted(names, key=_words_and_numbers))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name + ENDING)


def _words_and_numbers(name: str) -> list[str | int]:
    """`llama-2-7b` as ["llama-", 2, "-", 7, "b"]."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
