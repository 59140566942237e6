"""A checkpoint's tensors under the names that the model's class has today.

Published files keep the names of the day they were saved: without the base model's prefix, norms with gamma and beta,
one tensor for each expert. The transformers library converts them when it loads (its conversion_mapping.py); the same
is done here to names and shapes, and counted, so that a comparison says what it took for equal.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping

from graphacct.dims import same
from graphacct.tensors import TensorSpec

RENAMED = {
    ".block_sparse_moe.": ".mlp.",
    "LayerNorm.gamma": "LayerNorm.weight",
    "LayerNorm.beta": "LayerNorm.bias",
}
"""What was called otherwise in every model that had it."""
EXPERT = re.compile(r"(?P<place>.*\.experts)\.(?P<index>\d+)\.(?P<part>gate_proj|up_proj|down_proj|w1|w2|w3)\.weight")
PARTS = {"gate_proj": "gate", "w1": "gate", "up_proj": "up", "w3": "up", "down_proj": "down", "w2": "down"}
BUFFERS = re.compile(
    r"(^|\.)(attn|attention|crossattention)\.(bias|masked_bias)$|(^|\.)rotary_emb\.inv_freq$|(^|\.)position_ids$"
    r"|(^|\.)(encoder|decoder)\.version$|(^|\.)attn\.attention\.(bias|masked_bias)$"
)
"""Tensors that older classes saved and that no parameter ever was: masks, tables, version numbers."""


def as_today(
    found: Mapping[str, TensorSpec], names: Collection[str]
) -> tuple[dict[str, TensorSpec], Mapping[str, int]]:
    """The tensors under today's names, for a model whose tensors have these `names`; and what was done to how many.

    A name that the model knows is never changed, and one is changed only to a name that the model has.
    """
    done: Counter[str] = Counter()
    tensors = _stacked(_renamed(found, names, done), names, done)
    return _prefixed(tensors, names, done), done


def _renamed(found: Mapping[str, TensorSpec], names: Collection[str], done: Counter[str]) -> dict[str, TensorSpec]:
    tensors = {}
    for name, spec in found.items():
        if name not in names:
            for old, new in RENAMED.items():
                if old in name:
                    done[f"{old.strip('.')} is {new.strip('.')}"] += 1
                    name = name.replace(old, new)
        tensors[name] = spec
    return tensors


def _stacked(found: Mapping[str, TensorSpec], names: Collection[str], done: Counter[str]) -> dict[str, TensorSpec]:
    """Experts of one tensor each as one tensor for all: (expert, out, in), the gate's outputs before the others'."""
    tensors: dict[str, TensorSpec] = {}
    places: dict[str, dict[str, dict[int, str]]] = {}
    for name, spec in found.items():
        expert = EXPERT.fullmatch(name) if name not in names else None
        if expert is None:
            tensors[name] = spec
        else:
            parts = places.setdefault(expert["place"], {"gate": {}, "up": {}, "down": {}})
            parts[PARTS[expert["part"]]][int(expert["index"])] = name
    for place, parts in places.items():
        stacks = {part: _stack([found[name] for _, name in sorted(each.items())]) for part, each in parts.items()}
        counts = {len(each) for each in parts.values()}
        gate, up, down = stacks["gate"], stacks["up"], stacks["down"]
        complete = len(counts) == 1 and all(max(each) == len(each) - 1 for each in parts.values())
        if gate is None or up is None or down is None or gate != up or not complete:
            tensors.update({name: found[name] for each in parts.values() for name in each.values()})
            continue
        experts, outputs, inputs = gate.shape
        tensors[f"{place}.gate_up_proj"] = TensorSpec((experts, 2 * outputs, inputs), gate.dtype)
        tensors[f"{place}.down_proj"] = down
        done["one tensor for each expert is one for all"] += sum(len(each) for each in parts.values())
    return tensors


def _stack(specs: list[TensorSpec]) -> TensorSpec | None:
    """Matrices on top of each other, or None where they are not alike."""
    alike = specs and all(spec == specs[0] and same(len(spec.shape), 2) for spec in specs)
    return TensorSpec((len(specs), *specs[0].shape), specs[0].dtype) if alike else None


def _prefixed(found: Mapping[str, TensorSpec], names: Collection[str], done: Counter[str]) -> dict[str, TensorSpec]:
    """With or without the base model's prefix, as the model's class has it."""
    prefixes = dict.fromkeys(name.partition(".")[0] for name in names if "." in name)
    tensors = {}
    for name, spec in found.items():
        if name not in names:
            first, _, rest = name.partition(".")
            longer = next((f"{prefix}.{name}" for prefix in prefixes if f"{prefix}.{name}" in names), "")
            if longer and longer not in found:
                done[f"{longer[: -len(name)]} stands before the name today"] += 1
                name = longer
            elif rest in names and rest not in found:
                done[f"{first}. stands before the name no longer"] += 1
                name = rest
        tensors[name] = spec
    return tensors
