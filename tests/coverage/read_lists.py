"""Writes docs/coverage.md: which models of other programs' lists graphacct reads (`make coverage`).

The lists are the names that vLLM, llama.cpp, TGI, mlx-lm and the transformers library carry, as they were in November
2026. An entry is read if a configuration with its `model_type` and its class builds here, without another library.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import attrs

import graphacct
from graphacct.hooks.manager import default

LISTS = Path(__file__).parent / "lists"
PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"
CLASSES = {
    "vllm_text": "vLLM, text",
    "vllm_multimodal": "vLLM, multimodal",
    "llamacpp_text": "llama.cpp, text",
    "llamacpp_mmproj": "llama.cpp, projectors of other modalities",
}
"""Lists of names of classes."""
TYPES = {"mlx_lm": "mlx-lm", "tgi": "TGI"}
"""Lists of model types."""
TEXT_ALONE = {"MiMoV2ForCausalLM"}
"""Classes whose text is read and whose other modalities are refused: no entries of the lists of these."""
OTHER_MODALITIES = {"llamacpp_mmproj", "vllm_multimodal"}
REASONS = "classes_not_read.csv"
"""The classes of types that are read that are not, each with a reason."""
PUNCTUATION = str.maketrans("", "", "-_.")
INTRODUCTION = """# Which models are read

Look here whether a model is there. The lists are those of the programs that people run models with, as they were in
November 2026. An entry is **read** if a config.json with its `model_type` and its class builds here, without weights
and without another library. What is not read natively, and has a class in the transformers library, is read through
[graphacct-torch](pytorch.md): `pip install graphacct-torch transformers`, then the same command.

`make coverage` writes this page; nothing on it is typed.

| list | entries | read |
|---|---|---|
"""


@attrs.frozen
class Entry:
    """A name of a list, and the configurations that it stands for: each a `model_type` and the name of a class."""

    name: str
    stands_for: tuple[tuple[str, str], ...]

    @property
    def read(self) -> bool:
        return any(builds(kind, name) for kind, name in self.stands_for)


def builds(kind: str, name: str) -> bool:
    """Whether a configuration with this `model_type` and class builds."""
    return refusal(kind, name) == ""


@cache
def refusal(kind: str, name: str) -> str:
    """What graphacct says where a configuration with this `model_type` and class does not build: with the defaults of
    its family, or else, where those are no whole model, with the sizes of one of its presets. Empty where it does."""
    family = known_types().get(kind)
    if family is None:
        return "its type is not known"
    published = [keys for keys in family.load().presets.values() if isinstance(keys, Mapping)]
    said = ""
    for keys in ({}, *published[:1]):
        said = refusal_of(kind, name, keys)
        if not said:
            return ""
    return said


def refusal_of(kind: str, name: str, keys: Mapping[str, Any]) -> str:
    own = {key: value for key, value in keys.items() if key != "architectures"}
    try:
        graphacct.build({**own, "model_type": kind, **({"architectures": [name]} if name else {})})
    except graphacct.GraphacctError as error:
        return str(error).removeprefix("the configuration: ").partition("\n")[0]
    return ""


@cache
def known_types() -> dict[str, Any]:
    """The family of each `model_type`."""
    return {kind: item for item in default().architectures.values() for kind in item.model_types}


def table(name: str) -> list[dict[str, str]]:
    with open(LISTS / name, newline="") as file:
        return list(csv.DictReader(file))


def names_of(name: str) -> list[str]:
    """The names in a list of classes; one whose other modalities are refused stands for nothing in a list of these."""
    names = (LISTS / f"{name}.txt").read_text().split()
    return [f"{item} " if name in OTHER_MODALITIES and item in TEXT_ALONE else item for item in names]


def of_classes(names: Iterable[str]) -> list[Entry]:
    """Names of classes, each with the types whose configurations name it."""
    kinds: dict[str, list[str]] = {}
    for row in table("classes.csv"):
        kinds.setdefault(row["class"], []).append(row["model_type"])
    return [Entry(name.strip(), tuple((kind, name) for kind in kinds.get(name, ()))) for name in names]


def of_types(names: Iterable[str]) -> list[Entry]:
    """Model types, spelled with other signs between words too."""
    known = {kind.translate(PUNCTUATION).lower(): kind for kind in known_types()}
    return [Entry(name, ((known.get(name.translate(PUNCTUATION).lower(), name), ""),)) for name in names]


def lists() -> dict[str, list[Entry]]:
    """The entries of each list, by its title."""
    found = {title: of_classes(names_of(name)) for name, title in CLASSES.items()}
    found |= {title: of_types((LISTS / f"{name}.txt").read_text().split()) for name, title in TYPES.items()}
    rows = table("transformers_types.csv")
    found["transformers, model types"] = [
        Entry(row["model_type"], ((row["model_type"], row["class"]),)) for row in rows
    ]
    return found


def classes() -> list[tuple[str, str, bool]]:
    """Each class that the library's mappings (and, of types that it has not, the lists) name for a type that is read,
    and whether it is read too."""
    known = known_types()
    pairs = sorted({(row["model_type"], row["class"]) for row in table("classes.csv")})
    return [(kind, name, builds(kind, name)) for kind, name in pairs if kind in known]


def unsaid() -> list[tuple[str, str]]:
    """The classes of types that are read that are not read and have no reason, with their types."""
    said = {(row["model_type"], row["class"]) for row in table(REASONS)}
    return [(kind, name) for kind, name, read in classes() if not read and (kind, name) not in said]


def say_reasons() -> None:
    """Gives each class without a reason the one that graphacct says of it, which somebody may say better; and takes
    out those of classes that are read now."""
    left = {(kind, name) for kind, name, read in classes() if not read}
    rows = [(row["model_type"], row["class"], row["why"]) for row in table(REASONS)]
    kept = [row for row in rows if row[:2] in left]
    found = [(kind, name, f"graphacct says: {refusal(kind, name)}") for kind, name in unsaid()]
    if found or len(kept) < len(rows):
        with open(LISTS / REASONS, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("model_type", "class", "why"), *sorted(kept + found)])


def of_read_types() -> str:
    """The part of the page about classes."""
    why = {(row["model_type"], row["class"]): row["why"] for row in table(REASONS)}
    found = classes()
    left = [(kind, name) for kind, name, read in found if not read]
    text = "\n## Classes of the types that are read\n\n"
    text += f"The library's mappings name {len(found):,} classes for types that are read. {len(found) - len(left):,} "
    text += "of them are read.\n\n| not read | of type | why |\n|---|---|---|\n"
    return text + "".join(f"| `{name}` | `{kind}` | {why[kind, name]} |\n" for kind, name in left)


def page() -> str:
    """The page's text."""
    text = INTRODUCTION
    found = lists()
    for title, entries in found.items():
        text += f"| {title} | {len(entries)} | {sum(entry.read for entry in entries)} |\n"
    for title, entries in found.items():
        text += f"\n## {title}\n"
        for heading, wanted in (("Read", True), ("Not read natively", False)):
            names = [entry.name for entry in entries if entry.read is wanted]
            text += f"\n{heading} ({len(names)}):\n{lines(names)}\n"
    return text + of_read_types()


def lines(names: Sequence[str]) -> str:
    """Names between backquotes, filled into lines of at most 120 letters."""
    rows = [""]
    for place, name in enumerate(names):
        item = f"`{name}`{'' if place == len(names) - 1 else ','}"
        if len(rows[-1]) + len(item) + 1 > 120:
            rows.append("")
        rows[-1] = f"{rows[-1]} {item}".strip()
    return "\n".join(rows)


if __name__ == "__main__":
    say_reasons()
    PAGE.write_text(page())
    sys.stdout.write("".join(line for line in page().splitlines(keepends=True) if line.startswith("| ")))
