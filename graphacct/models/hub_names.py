"""Names of models on the Hugging Face Hub, and the preset that is closest to a name that no preset has.

`Qwen/Qwen3-8B` finds the preset that its family's `presets/FAMILY/hub_names.txt` gives that name. Nothing is fetched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import attrs

from graphacct.errors import ReadError, UnknownNameError, brief

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins

HUB = "https://huggingface.co/"
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
WORDS = frozenset(
    ["nano", "micro", "tiny", "mini", "small", "base", "medium", "big", "large", "huge", "giant", "xl", "xxl"]
)
"""Sizes in words, as in bert-large."""
SIZE = re.compile(r"a?\d+(\.\d+)?[bmk]|\d+x\d+(\.\d+)?b|\d{3,}")
"""A size in figures: 8b, 0.6b, a3b, 8x7b, a context of 128k, images of 224 pixels."""
OF_PARAMETERS = re.compile(r"\d+(\.\d+)?[bm]|\d+x\d+(\.\d+)?b")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
CLOSE = 0.6
"""The least similarity of two names, from 0 to 1, as difflib measures it."""
PREFERRED = 0.1
"""How much closer a family must be than a preset to be suggested in its place."""
FEW = 6
LONGEST = 200
"""The most letters of a name that is compared; no model has as many."""


def preset_of_hub_name(name: str, plugins: Plugins) -> str | None:
    """Returns the preset of a repository, in any case, with or without its organisation; None if no family has it."""
    wanted = name.removeprefix(HUB).strip("/").lower()
    for item in plugins.architectures.values():
        names = getattr(item.presets, "hub_names", {})
        found = names.get(wanted) or names.get(f"/{wanted}")
        if found is not None:
            preset: str = found
            return preset
    return None


def unknown_model(name: str, presets: Collection[str], families: Collection[str], plugins: Plugins) -> Exception:
    """Returns the error for a name of a model that nothing has: for a hub name, that nothing is fetched."""
    plain = name.removeprefix(HUB).strip("/")
    left_out = plugins.note_of_left_out()
    organisation = plain.partition("/")[0]
    if HUB_NAME.fullmatch(plain) and not plain.endswith(".json") and not os.path.isdir(organisation):
        repository = plain.partition("/")[2]
        close = closest_preset(repository, presets) if _read(repository).sizes else None
        way_out = f", or take the preset {close!r}, the closest of the same size" if close else ""
        return UnknownNameError(
            f"{brief(name)} is no file here, and the hub name of no preset; nothing is fetched: download the "
            f"repository's config.json and give its path{way_out}{left_out}"
        )
    if os.sep in name or name.endswith(".json"):
        return ReadError(f"no such file: {name!r}")
    return UnknownNameError(
        f"unknown model {brief(name)}{suggest_model(name, presets, families)}{left_out} "
        "(graphacct list architectures shows all)"
    )


def suggest_model(name: str, presets: Collection[str], families: Collection[str]) -> str:
    """Returns the tail of the message for an unknown model: the closest preset, never of another size, or the closest
    family; or the presets of other sizes, said to be that."""
    close = closest_preset(name, presets, families)
    if close is not None:
        return f"; did you mean {close!r}?"
    wanted = _read(name)
    others = [other for other in presets if _read(other).stem == wanted.stem] if wanted.sizes else []
    shown = ", ".join(others[:FEW]) + (", …" if len(others) > FEW else "")
    return f"; there is none of that size: {shown}" if others else ""


def closest_preset(name: str, presets: Collection[str], families: Collection[str] = ()) -> str | None:
    """Returns the preset, or else the family, that a name most likely means, or None. Every size in the name is one of
    the preset's.

    >>> closest_preset("gpt2-xll", ["gpt2", "gpt2-xl"])
    'gpt2-xl'
    >>> closest_preset("llama-3-80b", ["llama-3-8b"])
    """
    if len(name) > LONGEST:
        return None
    wanted = _read(name)
    known = [_read(other) for other in presets]
    fitting = [other for other in known if _may_be(wanted, other, known) and wanted.numbers <= other.all_numbers]
    ranked = [(_closeness(wanted, other), other.name) for other in fitting]
    if not wanted.sizes:
        of_families = [_read(family) for family in families if family not in presets]
        ranked += [
            (_closeness(wanted, family) - PREFERRED, family.name)
            for family in of_families
            if wanted.numbers <= family.all_numbers
        ]
    elif not any(closeness >= CLOSE for closeness, _ in ranked) and any(map(OF_PARAMETERS.fullmatch, wanted.sizes)):
        ranked = [(_closeness(wanted, other), other.name) for other in known if _may_be(wanted, other, known)]
    best, found = max(ranked, default=(0.0, ""), key=lambda pair: pair[0])
    return found if best >= CLOSE else None


@attrs.frozen
class _Name:
    """A model's name, read.

    Attributes:
        name: All of it, in small letters for a name that was typed.
        stem: Its words that are no size.
        sizes: Its sizes.
        numbers: Its other numbers, such as versions, or layers in the family's name.
    """

    name: str
    stem: str
    sizes: frozenset[str]
    numbers: frozenset[str]

    @property
    def all_numbers(self) -> frozenset[str]:
        """The numbers, those of the sizes among them."""
        return self.numbers | frozenset(NUMBER.findall(" ".join(self.sizes)))


def _read(name: str) -> _Name:
    words = [word for word in re.split(r"[^a-z0-9.]+", name.lower()) if word]
    if any(OF_PARAMETERS.fullmatch(word) for word in words):
        # of a model with its parameters in its name, `base` and `instruct` are how it was trained, and 2507 is a date
        noise = {"base", "instruct", "chat", "it", "pt", "hf"}
        words = [word for word in words if word not in noise and not re.fullmatch(r"\d{4}|v\d+(\.\d+)?", word)]
    sizes = [word for word in words if word in WORDS or SIZE.fullmatch(word)]
    rest = [word for word in words if word not in sizes]
    return _Name(name, "-".join(rest), frozenset(sizes), frozenset(NUMBER.findall(" ".join(rest))))


def _closeness(wanted: _Name, other: _Name) -> float:
    """Returns how similar two names are, from 0 to about 1: by their stems if a size is stated, or else as a whole."""
    whole = SequenceMatcher(None, wanted.name.lower(), other.name).ratio()
    if not wanted.sizes:
        return whole
    contained = set(wanted.stem.split("-")) <= set(other.stem.split("-"))
    stems = 1.0 if contained else SequenceMatcher(None, wanted.stem, other.stem).ratio()
    return stems + whole / 100 if stems >= CLOSE else 0.0


def _may_be(wanted: _Name, other: _Name, known: Iterable[_Name]) -> bool:
    """Returns whether a preset has every size of a name.

    The smallest model of some families is published without its size: gpt2-small is gpt2, beside gpt2-medium.
    """
    if wanted.sizes <= other.sizes:
        return True
    if other.sizes or not wanted.sizes <= {"small", "base"} or wanted.stem != other.stem:
        return False
    return any(sibling.stem == other.stem and sibling.sizes for sibling in known)
