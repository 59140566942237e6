"""A checkpoint's tensors under the names that the model's class uses today.

Published files keep the names from when they were saved: no prefix of the base model, norms with gamma and beta, one
tensor per expert. The transformers library converts them when it loads (its conversion_mapping.py). This module
converts names and shapes in the same way, and counts the conversions for the comparison to state.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping

import attrs

from graphacct.dims import same
from graphacct.tensors import TensorSpec

RENAMED = {
    ".block_sparse_moe.": ".mlp.",
    "LayerNorm.gamma": "LayerNorm.weight",
    "LayerNorm.beta": "LayerNorm.bias",
}
"""Parts of names that have changed in every model that had them."""
MOVED = tuple(
    (re.compile(rf"(?<![^.]){old}(?![^.])"), new)
    for old, new in (
        (r"backbone\.conv_encoder", "backbone"),
        ("out_proj", "o_proj"),
        (r"layers\.(\d+)\.(fc[12])", r"layers.\1.mlp.\2"),
        (r"encoder\.encoder\.(\d+)\.layers", r"encoder.aifi.\1.layers"),
        (r"sa_([qk])(content|pos)_proj", r"self_attn.\1_\2_proj"),
        ("sa_v_proj", "self_attn.v_proj"),
        (r"ca_([qk])(content|pos)_proj", r"encoder_attn.\1_\2_proj"),
        ("ca_v_proj", "encoder_attn.v_proj"),
        ("ca_qpos_sine_proj", "encoder_attn.q_pos_sine_proj"),
    )
)
"""Modules that detectors of images have moved or renamed, with their paths today: together they are one conversion."""
EXPERT = re.compile(r"(?P<place>.*\.experts)\.(?P<index>\d+)\.(?P<part>gate_proj|up_proj|down_proj|w1|w2|w3)\.weight")
PARTS = {"gate_proj": "gate", "w1": "gate", "up_proj": "up", "w3": "up", "down_proj": "down", "w2": "down"}
BUFFERS = re.compile(
    r"(^|\.)(attn|attention|crossattention)\.(bias|masked_bias)$|(^|\.)rotary_emb\.inv_freq$|(^|\.)position_ids$"
    r"|(^|\.)(encoder|decoder)\.version$|(^|\.)attn\.attention\.(bias|masked_bias)$"
)
"""Tensors that older classes saved but that are not parameters: masks, tables, version numbers."""


BASES = ("model", "transformer", "backbone")
"""The first part of tensors' names in classes with a head: what they call the model below it, other than its
`model_type`."""
SCALES = "_scale_inv"
"""The suffix of the scales of an 8-bit weight, one per tile."""


@attrs.frozen
class TensorNames:
    """The names of a model's tensors, the possible names of a model below a head, and those that this model uses."""

    names: Collection[str]
    bases: Collection[str]
    own: Collection[str]

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def known(self, name: str) -> str:
        """Returns the model's name for a tensor: this name, or this name with a base's prefix added or removed; empty
        if none."""
        first, _, rest = name.partition(".")
        others = (*(f"{base}.{name}" for base in self.own), *([rest] if first in self.bases else []))
        return next((item for item in (name, *others) if item in self.names), "")


def as_today(
    found: Mapping[str, TensorSpec], names: Collection[str], bases: Collection[str] = BASES
) -> tuple[dict[str, TensorSpec], Mapping[str, int]]:
    """Returns the tensors under today's names, for a model whose tensors have these `names`; and how many tensors each
    conversion changed.

    A name that the model knows is never changed. A new name must be one that the model has and the checkpoint does not.
    `bases` are the possible names of the model below a head.
    """
    done: Counter[str] = Counter()
    own = sorted({name.partition(".")[0] for name in names} & set(bases))
    model = TensorNames(names, bases, own)
    tensors = _stacked(_renamed(_unscaled(found, model, done), model, done), model, done)
    return _prefixed(tensors, model, done), done


def _unscaled(found: Mapping[str, TensorSpec], names: TensorNames, done: Counter[str]) -> dict[str, TensorSpec]:
    """Returns the tensors without the scales of weights: the model is compared dequantized."""
    scales = {
        name
        for name in found
        if name.endswith(SCALES) and name not in names and "float8" in _dtype(found, name.removesuffix(SCALES))
    }
    if scales:
        done["scales of 8-bit weights are left out"] += len(scales)
    return {name: spec for name, spec in found.items() if name not in scales}


def _dtype(found: Mapping[str, TensorSpec], name: str) -> str:
    return found[name].dtype if name in found else ""


def _renamed(found: Mapping[str, TensorSpec], names: TensorNames, done: Counter[str]) -> dict[str, TensorSpec]:
    tensors = {}
    for name, spec in found.items():
        for old, new in RENAMED.items() if name not in names else ():
            today = name.replace(old, new)
            expert = EXPERT.fullmatch(today)
            target = f"{expert['place']}.gate_up_proj" if expert else today
            if today != name and today not in found and names.known(target):
                done[f"{old.strip('.')} is {new.strip('.')}"] += 1
                name = today
        tensors[name] = spec
    return {_moved(name, tensors, names, done): spec for name, spec in tensors.items()}


def _moved(name: str, found: Mapping[str, TensorSpec], names: TensorNames, done: Counter[str]) -> str:
    """Returns the name of a tensor in a module that is elsewhere today."""
    today = name
    for old, new in MOVED if not names.known(name) else ():
        today = old.sub(new, today)
    if today == name or today in found or not names.known(today):
        return name
    done["modules that are elsewhere today"] += 1
    return today


def _stacked(found: Mapping[str, TensorSpec], names: TensorNames, done: Counter[str]) -> dict[str, TensorSpec]:
    """Replaces one tensor per expert by one for all experts: (expert, out, in), the gate's outputs before the
    others'."""
    tensors: dict[str, TensorSpec] = {}
    places: dict[str, dict[str, dict[int, str]]] = {}
    for name, spec in found.items():
        expert = EXPERT.fullmatch(name) if name not in names else None
        wanted = [f"{expert['place']}.{part}" for part in ("gate_up_proj", "down_proj")] if expert else []
        if expert is None or any(name in found or not names.known(name) for name in wanted):
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
    """Returns the matrices stacked, or None if their shapes or dtypes differ."""
    alike = specs and all(spec == specs[0] and same(len(spec.shape), 2) for spec in specs)
    return TensorSpec((len(specs), *specs[0].shape), specs[0].dtype) if alike else None


def _prefixed(found: Mapping[str, TensorSpec], names: TensorNames, done: Counter[str]) -> dict[str, TensorSpec]:
    """Adds or removes the base model's prefix, as the model's class has it."""
    tensors = {}
    for name, spec in found.items():
        today = names.known(name)
        if today and today != name and today not in found:
            if len(today) > len(name):
                done[f"{today[: -len(name)]} stands before the name today"] += 1
            else:
                done[f"{name[: -len(today)]} stands before the name no longer"] += 1
            name = today
        tensors[name] = spec
    return tensors
