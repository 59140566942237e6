"""The names of what all layers of a decoder are given, in the tables of each layer."""

from __future__ import annotations

from graphacct import Workload
from graphacct_architectures.decoders.parts.description.attention import Attention

ALIBI = "alibi_biases"
"""The name of the table that holds slopes times positions."""
POSITIONS = "position_ids"
"""The name of the positions' ids, which the library gives to each layer, and which few layers read."""
CHOSEN = "chosen_keys"
"""The name of the keys that the last layer with an indexer chose for each query."""


def mask_name(a: Attention, workload: Workload) -> str:
    """Returns the name of this attention's mask in the tables."""
    kind = "alibi" if a.alibi else "causal_mask"
    shared = a.window is None or (a.window_stored and workload.attention == "eager")
    return kind if shared else f"{kind}_{a.window}"
