"""The preset or family that is closest to a model's name that nothing has: never one of another size.

Names are compared word by word, because a letter more is another model: `mt5` has twice the parameters of `t5`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from difflib import SequenceMatcher

import attrs

from graphacct.models.near_keys import edits

WORDS = frozenset(
    ["nano", "micro", "tiny", "mini", "small", "base", "medium", "big", "large", "huge", "giant", "xl", "xxl"]
)
"""Sizes in words, as in bert-large."""
SIZE = re.compile(r"a?\d+(\.\d+)?[bmk]|\d+x\d+(\.\d+)?b|\d{3,}")
"""A size in figures: 8b, 0.6b, a3b, 8x7b, a context of 128k, images of 224 pixels."""
OF_PARAMETERS = re.compile(r"\d+(\.\d+)?[bm]|\d+x\d+(\.\d+)?b")
TRAINING = frozenset(["base", "instruct", "chat", "it", "pt", "thinking"])
"""How a model was trained, beside its number of parameters."""
STORED = re.compile(
    r"gguf|ggml|gptq|awq|bnb|exl[23]|mlx|hqq|quant(ized)?|dynamic|hf|(u?int|fp|bf|nf|mxfp|nvfp)\d+|\d+bits?|w\d+a\d+"
)
"""Words that say how a repository stores its weights."""
BLOCK_TYPE = re.compile(r"\bi?q\d(_[a-z0-9]+)*\b")
"""A block type of GGUF: q4_k_m."""
VERSION = re.compile(r"\d{4}|v\d+(\.\d+)?")
"""A date or a version of a repository, beside the number of parameters."""
OTHER_KINDS = "vl vision multimodal omni audio moe embed embedding reranker reward next"
"""Words of models with other layers than the family's."""
CLOSE = 0.6
"""The least closeness of two names, from 0 to about 1."""
PREFERRED = 0.1
"""How much closer a family must be than a preset to be suggested in its place."""
MISSING_WORD, MISSING_SIZE = 0.15, 0.06
"""What a name loses for each word that only the other has, and for each size or number that only one of them has."""
FEW = 6
LONGEST = 200
"""The most letters of a name that is compared; no model has as many."""


@attrs.frozen
class Name:
    """A model's name, read.

    Attributes:
        name: All of it, in small letters.
        words: Its words in letters that are no size: llama, of llama-3-8b.
        numbers: Its numbers that are no size, such as versions.
        sizes: Its sizes.
    """

    name: str
    words: tuple[str, ...]
    numbers: frozenset[str]
    sizes: frozenset[str]

    @property
    def all_numbers(self) -> frozenset[str]:
        """The numbers, those of the sizes among them."""
        return self.numbers | frozenset(re.findall(r"\d+(?:\.\d+)?", " ".join(self.sizes)))

    @property
    def states_parameters(self) -> bool:
        """Whether a size is a number of parameters."""
        return any(map(OF_PARAMETERS.fullmatch, self.sizes))


def read_name(name: str) -> Name:
    """Returns a name, read.

    >>> read_name("Qwen3-8B-Instruct-AWQ").words, sorted(read_name("Qwen3-8B-Instruct-AWQ").sizes)
    (('qwen',), ['8b'])
    """
    small = name.lower()
    text = BLOCK_TYPE.sub(" ", small).replace("+", "-plus-")
    parts = [part for part in re.split(r"[^a-z0-9.]+|\.(?!\d)|(?<!\d)\.", text) if part]
    parts = [part for part in parts if not STORED.fullmatch(part)]
    if any(map(OF_PARAMETERS.fullmatch, parts)):
        parts = [part for part in parts if part not in TRAINING and not VERSION.fullmatch(part)]
    sizes = [part for part in parts if part in WORDS or SIZE.fullmatch(part)]
    rest = " ".join(part for part in parts if part not in sizes)
    return Name(
        small,
        tuple(re.findall(r"[a-z]+", rest)),
        frozenset(re.findall(r"\d+(?:\.\d+)?", rest)),
        frozenset(sizes),
    )


def closest_preset(name: str, presets: Collection[str], families: Collection[str] = ()) -> str | None:
    """Returns the preset, or else the family, that a name most likely means, or None. Every size in the name is one of
    the preset's.

    >>> closest_preset("gpt2-xll", ["gpt2", "gpt2-xl"])
    'gpt2-xl'
    >>> closest_preset("llama-3-80b", ["llama-3-8b"])
    """
    if len(name) > LONGEST:
        return None
    known = [read_name(other) for other in presets]
    vocabulary = {word for other in known for word in other.words}
    wanted = read_name(name)
    dotted = re.sub(r"(?<=\d)_(?=\d)", ".", name)  # 1_6b is 1.6b to some
    readings = [wanted, *([read_name(dotted)] if dotted != name else []), *_with_other_sizes(wanted, vocabulary)]
    best, found = max(_ranked(readings, known, families, vocabulary), default=(0.0, ""), key=lambda pair: pair[0])
    if best < CLOSE and wanted.states_parameters and not any(_same_line(wanted, other) for other in known):
        # the same size of another version; there is none of the version that was asked for
        fitting = [other for other in known if _may_be(wanted, other, known)]
        ranked = [(_closeness(wanted, o, vocabulary), o.name) for o in fitting if {*wanted.words} <= {*o.words}]
        best, found = max(ranked, default=(0.0, ""), key=lambda pair: pair[0])
    return found if best >= CLOSE else None


def _ranked(
    readings: Iterable[Name], known: Collection[Name], families: Collection[str], vocabulary: Collection[str]
) -> Iterator[tuple[float, str]]:
    """Yields each known preset and family that has the sizes and numbers of a name, with its closeness."""
    for wanted in readings:
        for other in known:
            if wanted.numbers <= other.all_numbers and _may_be(wanted, other, known):
                yield _closeness(wanted, other, vocabulary), other.name
        for family in map(read_name, families if not wanted.sizes else ()):
            if wanted.numbers <= family.all_numbers and all(family.name != other.name for other in known):
                yield _closeness(wanted, family, vocabulary) - PREFERRED, family.name


def _with_other_sizes(wanted: Name, vocabulary: Collection[str]) -> Iterator[Name]:
    """Yields the name with a word read as the size that it misspells: xl, for xll."""
    for word in wanted.words:
        for size in WORDS if len(word) > 2 and word not in vocabulary else ():
            if word[:1] == size[:1] and edits(word, size, 1) <= 1:
                words = tuple(item for item in wanted.words if item != word)
                yield attrs.evolve(wanted, words=words, sizes=wanted.sizes | {size})


def of_other_sizes(name: str, presets: Iterable[str]) -> list[str]:
    """Returns the presets that differ from a name in their sizes alone; none for a name that states no size."""
    wanted = read_name(name[:LONGEST])
    return [other for other in presets if wanted.sizes and _same_line(wanted, read_name(other))]


def closest_family(kind: str, families: Iterable[str]) -> str | None:
    """Returns the family that a `model_type` misspells, or None. A number more or less is another family.

    >>> closest_family("lama", ["llama", "gemma2"]), closest_family("gemma3", ["llama", "gemma2"])
    ('llama', None)
    """
    if len(kind) > LONGEST:
        return None
    from difflib import SequenceMatcher  # an error alone needs it

    plain = re.sub(r"[^a-z0-9]", "", kind.lower())
    slips: dict[str, float] = {}
    for family in families:
        own = family.lower().replace("_", "").replace("-", "")
        same_numbers = re.findall(r"\d", own) == re.findall(r"\d", plain)
        same_words = len(re.split(r"[-_]", family)) == len(re.split(r"[-_]", kind))  # nemotron_h is no nemotron
        if own == plain:
            return family
        if same_numbers and same_words and _is_slip(plain, own):
            slips[family] = SequenceMatcher(None, plain, own).ratio()
    return max(slips, key=slips.__getitem__, default=None)


def _same_line(wanted: Name, other: Name) -> bool:
    return (wanted.words, wanted.numbers) == (other.words, other.numbers)


def _closeness(wanted: Name, other: Name, vocabulary: Collection[str]) -> float:
    """Returns how close a known name is to a wanted one, from 0 to about 1: 0 if the wanted one has a word that the
    other has not, unless it states its parameters, so that it is of the same size.

    `vocabulary` has the words of the known names. Each means itself: it is no slip of another, and a model that has it
    beside its family's words is another kind of model.
    """
    if not wanted.words or not other.words:
        return 0.0
    joined, own = "".join(wanted.words), "".join(other.words)
    closeness, missing = 1.0, 0
    if joined != own and not (joined not in vocabulary and _is_slip(joined, own)):
        left = list(other.words)
        extra = []
        for word in wanted.words:
            same = next((item for item in left if item == word), None) or next(
                (item for item in left if word not in vocabulary and _is_slip(word, item)), None
            )
            if same is None:
                extra.append(word)
                continue
            closeness -= 0.0 if same == word else PREFERRED / 2
            left.remove(same)
        if extra and (
            left or not wanted.states_parameters or not {*OTHER_KINDS.split(), *vocabulary}.isdisjoint(extra)
        ):
            return 0.0
        missing = len(left)
    elif joined != own:
        closeness -= PREFERRED / 2
    closeness -= MISSING_WORD * missing
    closeness -= MISSING_SIZE * len(other.sizes - wanted.sizes)
    closeness -= MISSING_SIZE * (len(other.numbers - wanted.all_numbers) + len(wanted.numbers - other.numbers))
    return closeness + SequenceMatcher(None, wanted.name, other.name).ratio() / 100


def _is_slip(word: str, other: str) -> bool:
    """Returns whether a word is another with a slip of the keyboard: one letter after the first, two swapped, or one
    doubled; in a long word the first is missing. Of three letters, another one is another word: opt is no gpt."""
    if max(len(word), len(other)) >= 6 and (word.endswith(other) or other.endswith(word)):
        return abs(len(word) - len(other)) == 1
    if re.sub(r"(.)\1", r"\1", word) == other:
        return True
    if word[:1] != other[:1]:
        return False
    if max(len(word), len(other)) < 4:
        return sorted(word) == sorted(other)
    return min(len(word), len(other)) > 2 and edits(word, other, 1) <= 1


def _may_be(wanted: Name, other: Name, known: Iterable[Name]) -> bool:
    """Returns whether a preset has every size of a name.

    The smallest model of some families is published without its size: gpt2-small is gpt2, beside gpt2-medium.
    """
    if wanted.sizes <= other.sizes:
        return True
    if other.sizes or not wanted.sizes <= {"small", "base"} or not _same_line(wanted, other):
        return False
    return any(_same_line(sibling, other) and sibling.sizes for sibling in known)
