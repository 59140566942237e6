"""Inputs of the shapes that a docstring states: "states (`torch.Tensor` of shape `(batch_size, state_dim)`)"."""

from __future__ import annotations

import inspect
import re
from math import prod

import torch
from torch import nn

from graphacct_torch.reading.given import made
from graphacct_torch.reading.sizes import AUDIO, TEXT, VISION, Sizes

SHAPE = r"^\s*{name} \(`(?P<kind>[^`]+)` of shape `[(\[](?P<dims>[^`]*)[)\]]`"
BATCH = frozenset(("batch_size", "batch", "num_images"))
SIDES = ("height", "width")
ALIASES = {"dim": "hidden_size"}
FREE = re.compile(r"len|num|max|frames|patches|steps")
"""Names of dimensions that no key of the configuration gives, and that may have any size."""
PARTS = (*TEXT, *VISION, *AUDIO)
"""The parts of a configuration that are asked for a dimension's name."""
WHOLE = re.compile(r"(_ids|_mask|_indices|_positions|timesteps|freq)$")
"""Names of inputs that are integers where the class only says that they are tensors."""


def documented(module: nn.Module, name: str, sizes: Sizes) -> torch.Tensor | None:
    """Returns an input of the shape and kind that the docstring of the class states, its dimensions the batch, the
    length of the text, and keys of the configuration; None if it states none, or one that these do not give."""
    text = inspect.getdoc(type(module).forward) or ""
    found = re.search(SHAPE.format(name=re.escape(name)), text, re.MULTILINE)
    if found is None:
        return None
    dims = [_dim(dim.strip(), sizes) for dim in found["dims"].split(",") if dim.strip()]
    if not dims or None in dims:
        return None
    shape = tuple(dim for dim in dims if dim is not None)
    return made("mask" if name.endswith("mask") else name, shape, _dtype(found["kind"], name))


def _dim(text: str, sizes: Sizes) -> int | None:
    """Returns a dimension of a shape: a number, a name, or a product of these."""
    factors = [_factor(part.strip(), sizes) for part in text.split("*")]
    return None if None in factors else prod(factor for factor in factors if factor is not None)


def _factor(name: str, sizes: Sizes) -> int | None:
    name = name.removeprefix("config.").removeprefix("self.")
    if name.isdigit():
        return int(name)
    if name in BATCH:
        return sizes.batch
    if name in SIDES:
        return sizes.pixels[SIDES.index(name)]
    known = sizes.get(ALIASES.get(name, name), parts=PARTS)
    if type(known) is int:
        return known
    return sizes.text if FREE.search(name) else None


def _dtype(kind: str, name: str) -> torch.dtype:
    if "Long" in kind or "Int" in kind:
        return torch.int64
    if "Bool" in kind:
        return torch.bool
    return torch.int64 if "Float" not in kind and WHOLE.search(name) else torch.float32
