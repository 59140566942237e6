"""Modules by the names that files give them: the patterns of a `WeightPlan` against a model's own names.

Files name modules as the class did that wrote them: with a prefix for the text model of a larger one, with an older
name of a layer's experts, with one module for each expert. A model here has today's names, and one parameter for the
same projection of all experts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import translate
from functools import cached_property

import attrs

from graphacct.errors import ConfigError, brief

REGEX = "re:"
"""What a regular expression begins with, as in compressed-tensors' files."""
GLOB = re.compile(r"[*?\[]")
EXPERTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "gate_up_proj": (("gate_proj", "w1"), ("up_proj", "w3")),
    "down_proj": (("down_proj", "w2"),),
}
"""The projections in each parameter of experts, each by its names in files."""
RENAMED = {"block_sparse_moe": "mlp", "switch_mlp": "experts"}
"""Parts of names in files, and today's: of Mixtral's older class, and of MLX."""
TEXT_MODEL = "language_model"
"""The part of a name that stands for the text model of a larger one."""
ONE_EXPERT = re.compile(r"(?:^|\.)experts\.([0-9]{1,6})(?:\.|$)")
SOME_EXPERTS = re.compile(r"experts[\\.()\[]*(\d|\[|\\d\{|\()")
ANY_NUMBER = re.compile(r"\\d[+*]|\[0-9\][+*]")
MOST_SIGNS = 2048
"""The most globs and regular expressions of a plan: each is compared with each module."""
MOST_EXPERTS = 1024
"""The most experts that regular expressions may tell apart: each is compared in each layer."""


@attrs.frozen
class Module:
    """A module that files may name.

    Attributes:
        names: Its names in files.
        whole: A name that it shares with other modules, whose matrices are one parameter here; empty if there is none.
            Globs and regular expressions match it only if they spell out its last part.
    """

    names: tuple[str, ...]
    whole: str = ""

    @property
    def called(self) -> str:
        """What messages call it: an expert by its index."""
        return next((name for name in self.names if ONE_EXPERT.search(name)), self.names[0])


class Patterns:
    """Patterns in their order, ready to be compared with many modules.

    Raises ConfigError for more than `MOST_SIGNS` globs and regular expressions.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(texts)
        self.used: set[int] = set()
        """The indices of the patterns that were the first to match a module."""
        self._plain: dict[str, int] = {}
        self._signs: list[tuple[int, str, re.Pattern[str]]] = []
        globs = []
        for index, text in enumerate(self.texts):
            if text.startswith(REGEX):
                self._signs.append((index, text, re.compile(text.removeprefix(REGEX))))
                continue
            for name in dict.fromkeys((text, _today(text))):
                if GLOB.search(name):
                    globs.append(translate(name))
                    self._signs.append((index, name, re.compile(globs[-1])))
                else:
                    self._plain.setdefault(name, index)
        if len(self._signs) > MOST_SIGNS:
            raise ConfigError(
                f"{len(self._signs):,} globs and regular expressions name modules, and {MOST_SIGNS:,} are the most"
            )
        self._lengths = sorted({name.count(".") + 1 for name in self._plain})
        self._any_glob = re.compile("|".join(globs) or "(?!)")

    def first(self, module: Module) -> int | None:
        """Returns the index of the first pattern that matches a module; None if none does."""
        if not self.texts:
            return None
        names = (*module.names, module.whole) if module.whole else module.names
        runs = (run for name in names for run in _runs(name, self._lengths))
        least = min((self._plain[run] for run in runs if run in self._plain), default=len(self.texts))
        globs: bool | None = None
        for index, text, compiled in self._signs:
            if index >= least:
                break
            if not text.startswith(REGEX):
                if globs is None:  # one look for all of them, as most modules match none
                    globs = any(self._any_glob.match(path) for name in names for path in _paths(name))
                if not globs:
                    continue
            if any(_matches(text, compiled, name) for name in _tried(module, text)):
                least = index
                break
        if least == len(self.texts):
            return None
        self.used.add(least)
        return least

    @cached_property
    def _named(self) -> list[int]:
        """The experts that plain names have, and the first that none has."""
        named = {int(found) for text in self._plain for found in ONE_EXPERT.findall(text)}
        other = next(index for index in range(len(named) + 1) if index not in named)
        return sorted((*named, other))

    def experts(self, count: int) -> Sequence[int]:
        """Returns the experts of `count` that the patterns may tell apart: those that they name, and one other.

        Raises ConfigError if regular expressions may tell more than `MOST_EXPERTS` apart.
        """
        for _, text, _ in self._signs:
            if SOME_EXPERTS.search(ANY_NUMBER.sub("*", text)):
                if count > MOST_EXPERTS:
                    raise ConfigError(
                        f"the pattern {brief(text)} may tell {count:,} experts apart, and {MOST_EXPERTS:,} is the most"
                    )
                return range(count)
        return [index for index in self._named if index < count]


def matches(text: str, module: str) -> bool:
    """Returns whether a pattern of a `WeightPlan` matches a module's name.

    >>> matches("lm_head", "lm_head"), matches("mlp.gate", "model.layers.3.mlp.gate"), matches("gate", "mlp.gate_proj")
    (True, True, False)
    """
    return Patterns([text]).first(Module((module,))) is not None


def modules(name: str, experts: Sequence[int], joined: int) -> Iterator[Module]:
    """Yields the modules whose matrices are a parameter: one, unless it is that of experts. `joined` is how many
    projections it has of each."""
    scope, _, last = name.rpartition(".")
    if not scope.endswith("experts") or last not in EXPERTS:
        yield Module((name,))
        return
    for names in EXPERTS[last]:
        own = tuple(f"{scope}.{part}" for part in names)
        for index in experts:
            single = tuple(f"{scope}.{index}.{part}" for part in names)
            yield Module((*own, *single), name) if joined > 1 else Module((name, *own, *single))


def _today(text: str) -> str:
    """Returns a name or a glob with today's parts, without that of the text model."""
    return ".".join(RENAMED.get(part, part) for part in text.split(".") if part != TEXT_MODEL)


def _runs(name: str, lengths: Sequence[int]) -> Iterator[str]:
    """Yields the runs of so many parts of a name."""
    parts = name.split(".")
    for length in lengths:
        for start in range(len(parts) - length + 1):
            yield ".".join(parts[start : start + length])


def _paths(name: str) -> Iterator[str]:
    """Yields all runs of parts of a name."""
    return _runs(name, range(1, name.count(".") + 2))


def _tried(module: Module, text: str) -> Iterator[str]:
    """Yields the names that a glob or a regular expression is compared with. A regular expression that spells out an
    older part or the text model is compared with names that have it; no other is, so that "all but" keeps its sense."""
    names = module.names
    if module.whole and module.whole.rpartition(".")[2] in text:
        names = (*names, module.whole)
    yield from names
    if not text.startswith(REGEX):
        return
    for old, new in RENAMED.items():
        if old in text:
            yield from (f".{name}".replace(f".{new}.", f".{old}.")[1:] for name in names)
    if TEXT_MODEL in text:
        for name in names:
            yield f"{TEXT_MODEL}.{name}"
            yield name.replace("model.", f"model.{TEXT_MODEL}.", 1)
            yield name.replace("model.", f"{TEXT_MODEL}.", 1)


def _matches(text: str, compiled: re.Pattern[str], name: str) -> bool:
    if text.startswith(REGEX):
        return compiled.match(name) is not None
    return any(compiled.match(path) for path in _paths(name))
