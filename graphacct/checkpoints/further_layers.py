"""Multi-token-prediction layers in a checkpoint: published with the model, left out by the library's class."""

from __future__ import annotations

import re
from collections.abc import Collection

NAMED = re.compile(r"(^|\.)mtp(_layers?|_block|_module)?s?\.")
"""A prefix that says what it holds (Qwen3-Next, MiMo, Nemotron)."""
LAYER = re.compile(r"(?P<place>(?:.*\.)?layers)\.(?P<index>\d+)\.(?P<rest>.*)")
MARKS = ("eh_proj.", "enorm.", "hnorm.", "shared_head.")
"""Modules that such a layer has beside those of an ordinary one, in DeepSeek-V3's and GLM's checkpoints, where it
follows the last layer: it joins the hidden state and the next token's embedding, and has a head."""


def further_layers(unknown: Collection[str], names: Collection[str]) -> frozenset[str]:
    """Returns those of a checkpoint's `unknown` tensors that belong to multi-token-prediction layers. `names` are the
    tensors of the model.

    >>> sorted(further_layers(["layers.2.enorm.weight", "layers.2.w", "layers.3.w"], ["layers.1.w"]))
    ['layers.2.enorm.weight', 'layers.2.w']
    """
    places = {name: found for name in unknown if (found := LAYER.fullmatch(name))}
    marked = {(it["place"], it["index"]) for it in places.values() if it["rest"].startswith(MARKS)}
    own = {(it["place"], it["index"]) for name in names if (it := LAYER.fullmatch(name))} if marked else set()
    further = {name for name, it in places.items() if (it["place"], it["index"]) in marked - own}
    return frozenset(further | {name for name in unknown if NAMED.search(name)})
