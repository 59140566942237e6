"""Writes docs/estimates.md: how far 2 N, 4 N and 6 N FLOPs a token are off for each preset (`make estimates`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

import graphacct
from graphacct.hooks.manager import default

PAGE = Path(__file__).parents[2] / "docs" / "estimates.md"
LONGEST = 2048
TEXTS = {"seq_len", "choices"}
"""Sizes of families that read texts: in some classes a question has several."""
QUANTITIES = ("params", "active_params", "forward_flops", "step_flops")
INTRODUCTION = """# How far off are 2N, 4N and 6N?

A model of N parameters takes about 2 N FLOPs a token forward, 4 N backward and 6 N in a training step. This page says
by how many per cent these estimates differ from what graphacct counts under `exact`, for each preset that reads a text
and nothing else, at 2,048 tokens, or at its own length if that is shorter. Below 0 the estimate is too small.
`make estimates` writes this page; nothing on it is typed.

Why they differ:

- **Attention** grows with the length and is in no estimate, so that long contexts have much more than 6 N. All pairs of
  positions count here, as kernels compute them; `--mask causal` counts
  [fewer](conventions.md#which-pairs-of-positions). In Llama 3 8B they happen to make up for the table of embeddings
  here; at 8,192 tokens 6 N is 16.94 % too small.
- **Tables** of embeddings and of learned positions are parameters that a token reads one row of. In small models with
  large vocabularies the estimate is too large, unless the head shares the table.
- **Experts** that a token is not sent to are parameters too: take 6 N of the active parameters, the last column.
- **Layers that share their parameters** (ALBERT) run several times with them, and N has them once.
- **Norms, activations, softmax** and other arithmetic are no products of parameters, and are in no estimate.
- A step's backward pass is not twice the forward one in arithmetic that is no product, and the first layer needs no
  gradient of its input.

| preset | N | tokens | 2 N forward | 4 N backward | 6 N step | 6 N active |
|---|---|---|---|---|---|---|
"""


@attrs.frozen
class Row:
    """A preset's figures.

    Attributes:
        name: The preset.
        params: Its parameters.
        active: Those that a token uses.
        tokens: Of one sequence.
        forward: The FLOPs of its forward pass.
        step: The FLOPs of a training step.
    """

    name: str
    params: int
    active: int
    tokens: int
    forward: int
    step: int

    @property
    def text(self) -> str:
        """Its line of the table."""
        estimates = [
            (2 * self.params, self.forward),
            (4 * self.params, self.step - self.forward),
            (6 * self.params, self.step),
        ]
        if self.active != self.params:
            estimates.append((6 * self.active, self.step))
        errors = [f"{100 * (each * self.tokens - exact) / exact:+.2f} %" for each, exact in estimates]
        cells = (f"`{self.name}`", f"{self.params:,}", f"{self.tokens:,}", *errors, *[""] * (4 - len(errors)))
        return f"| {' | '.join(cells)} |"


def names() -> Iterator[str]:
    """Yields the presets of the families that read texts alone and can be trained. One with an encoder and a decoder
    has tokens of two kinds, and is left out."""
    for item in default().architectures.values():
        if item.presets:
            family = item.load() if hasattr(item, "load") else item
            if {"seq_len"} <= {*family.sizes} <= TEXTS and "train" in family.phases:
                yield from item.presets


def row(name: str) -> Row:
    """Returns the figures of one preset."""
    tokens = min(LONGEST, graphacct.build(name).workload["seq_len"])
    total: Mapping[str, Any] = graphacct.account(name, phase="train", seq_len=tokens, quantities=QUANTITIES).total
    return Row(name, total["params"], total["active_params"], tokens, total["forward_flops"], total["step_flops"])


def page() -> str:
    """Returns the page."""
    return INTRODUCTION + "".join(f"{row(name).text}\n" for name in sorted({*names()}))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
