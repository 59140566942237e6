"""A part of a diffusers pipeline: its class, built without weights, with the inputs that graphacct's graph of it has.

diffusers is imported when such a part is met.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from graphacct import build
from graphacct_torch.building.build import other_ways, without_weights
from graphacct_torch.errors import CaptureError, first_line, lines_of

CLASS = "_class_name"
"""The key that names the class."""
CONDITIONS = "added_cond_kwargs"
"""The argument that holds further inputs by name."""


GRIDS, PACKED = "img_shapes", 2
"""The argument that says how many tokens of 2 by 2 latents each picture has: frames, rows and columns."""
VIDEO = ("num_frames", "height", "width")
"""The arguments that say how many latents a video of tokens has."""


def is_part(keys: Mapping[str, Any]) -> bool:
    """Returns whether keys are a part's, and diffusers and torch are there to build it."""
    return CLASS in keys and all(map(importlib.util.find_spec, ("torch", "diffusers")))


def version() -> str:
    """Returns the library and its version."""
    import diffusers

    return f"diffusers {diffusers.__version__}"


def built(keys: Mapping[str, Any]) -> nn.Module:
    """Returns the module of a part's keys. Raises CaptureError, which names the class, if it cannot be built."""
    import diffusers

    kind = getattr(diffusers, str(keys[CLASS]), None)
    if kind is None:
        raise CaptureError(f"{version()} has no class {keys[CLASS]!r}")
    names = set(inspect.signature(kind.__init__).parameters)
    given = {name: value for name, value in keys.items() if name in names}
    try:
        with without_weights():
            return kind(**given)
    except Exception as error:
        for way in other_ways(error):
            with way():
                return kind(**given)
        raise CaptureError(f"diffusers' {keys[CLASS]} is not built: {first_line(error)}{lines_of(error)}") from error


def inputs_of(module: nn.Module, keys: Mapping[str, Any], workload: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of a forward pass: the graph's inputs by their names, those that the class takes together
    in one argument."""
    graph = build(dict(keys), **{name: value for name, value in workload.items() if value is not None})
    takes = inspect.signature(module.forward).parameters
    found: dict[str, Any] = {}
    for value in graph.inputs:
        tensor = torch.zeros(value.spec.shape, dtype=getattr(torch, value.spec.dtype), device="meta")
        whole, _, place = value.name.partition(".")
        if place:  # one of several tensors in one argument
            found[whole] = (*found.get(whole, ()), tensor)
            continue
        holder = found if value.name in takes else found.setdefault(CONDITIONS, {})
        holder[value.name] = tensor
    if VIDEO[0] in takes:
        found |= dict(zip(VIDEO, graph.workload["latents"], strict=True))
    if GRIDS in takes:
        rows, columns = (side // PACKED for side in graph.workload["latents"])
        found[GRIDS] = [[(1, rows, columns)]] * graph.workload["batch"]
    return found


PLAIN = {"AttnProcessor2_0": "AttnProcessor", "AttnAddedKVProcessor2_0": "AttnAddedKVProcessor"}
"""diffusers' kinds of fused attention, and the same written out."""


def set_attention(module: nn.Module, kind: str) -> None:
    """Makes a module compute attention written out, if `kind` is `eager`. Raises CaptureError if its class cannot."""
    if kind != "eager":
        return
    from diffusers.models import attention_processor as processors

    for name, part in module.named_modules():
        processor: Any = getattr(part, "processor", None)
        if processor is None:
            continue
        plain = PLAIN.get(type(processor).__name__)
        if plain is None:
            raise CaptureError(f"diffusers has no attention written out for {name}: leave attention out")
        part.processor = getattr(processors, plain)()
