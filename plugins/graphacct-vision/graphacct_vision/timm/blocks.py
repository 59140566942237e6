"""The blocks that EfficientNets and MobileNets are lists of, read from the table of their stages.

A block is a word and its settings: `ir x2 k5 s2 e6 c40 se.25` is two inverted residuals with a kernel of 5, the first
with a stride of 2, that widen their map six times, give 40 channels, and squeeze to a quarter of the channels that they
are given.
"""

from __future__ import annotations

import re
from functools import cache
from math import ceil
from typing import Any

import attrs

from graphacct import frozen
from graphacct_vision.timm.tables import entries

PART = re.compile(r"([a-z]+)([\d.]*)")
ACTS = ("relu", "silu")
KEYS = {
    **{"x": "repeats", "k": "kernels", "a": "start", "p": "end", "s": "stride", "e": "ratio", "c": "channels"},
    **{"se": "squeeze", "fc": "forced", "gs": "group", "h": "heads", "d": "key_width", "v": "key_stride"},
}
"""What each letter sets."""


@frozen
class Block:
    """One block, or several that are alike.

    Attributes:
        kind: `ds` (a convolution of each channel and one over channels, `dsa` with an activation at its end), `ir` (an
            inverted residual), `er` (one whose first convolution widens and has the kernel), `cn` (a convolution),
            `uir` (an inverted residual with up to three convolutions of channels) or `mqa` (attention).
        channels: The channels that it gives, before they are scaled.
        repeats: How many there are.
        kernels: The kernel, or those that the channels are shared out to.
        start: The same of the convolution that widens; of `uir`, of the one of channels before it, 0 for none.
        end: The same of the convolution that narrows; of `uir`, of the one of channels after it.
        stride: The first one's stride.
        ratio: How much wider the map inside is.
        squeeze: The share of channels that squeeze and excitation has, 0 for none.
        skip: Whether it is added to what it was given: None where its kind does so.
        act: Its activation, if it is not the model's.
        forced: Channels to widen in place of those given, 0 for those.
        group: Channels of each group of its inner convolution, None for those that its kind has.
        heads: Heads of attention.
        key_width: Channels of a key and of a value.
        key_stride: Every how many places have one.
    """

    kind: str
    channels: int
    repeats: int = 1
    kernels: tuple[int, ...] = (3,)
    start: tuple[int, ...] = (1,)
    end: tuple[int, ...] = (1,)
    stride: int = 1
    ratio: float = 1.0
    squeeze: float = 0.0
    skip: bool | None = None
    act: str = ""
    forced: int = 0
    group: int | None = None
    heads: int = 1
    key_width: int = 64
    key_stride: int = 1


def block(text: str) -> Block:
    """Returns the block of a text such as `ir x2 k5 s2 e6 c40 se.25`."""
    kind, *parts = text.split()
    own: dict[str, Any] = {"start": (0,), "end": (0,)} if kind == "uir" else {}
    for part in parts:
        if part in ("skip", "noskip"):
            own["skip"] = part == "skip"
        elif part in ACTS:
            own["act"] = part
        else:
            found = PART.fullmatch(part)
            assert found, part
            key = KEYS[found[1]]
            if key in ("kernels", "start", "end"):
                own[key] = tuple(map(int, found[2].split(".")))
            else:
                own[key] = (float if key in ("ratio", "squeeze") else int)(found[2])
    return Block(kind, **own)


@cache
def stages(name: str) -> tuple[tuple[Block, ...], ...]:
    """Returns the stages of the table's entry, each with its blocks."""
    texts = {word: text for word, _, text in entries("stages")}
    return tuple(tuple(block(part) for part in stage.split("+")) for stage in texts[name].split("|"))


def scaled(stage: tuple[Block, ...], factor: float, *, rounds: bool) -> list[Block]:
    """Returns a stage's blocks one by one, as many as its depth is scaled to. What is added is shared out from the
    last kind of block to the first."""
    left = sum(each.repeats for each in stage)
    scaled_left = max(1, round(left * factor)) if rounds else ceil(left * factor)
    found: list[Block] = []
    for each in reversed(stage):
        count = max(1, round(each.repeats / left * scaled_left))
        left, scaled_left = left - each.repeats, scaled_left - count
        later = attrs.evolve(each, repeats=1)
        found = [later] * count + found
    return [each if not place else attrs.evolve(each, stride=1) for place, each in enumerate(found)]
