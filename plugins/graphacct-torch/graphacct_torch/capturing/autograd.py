"""What autograd tells while a module runs: how many nodes its graph has, and whose gradient it computes."""

from __future__ import annotations

import torch

DETACH = torch.ops.aten.detach.default
LAST = 2**63
"""Numbers from here on are those of the nodes that add a gradient to a parameter's, which run before all others."""


def nodes_so_far() -> int:
    """Returns how many nodes autograd has made in this thread."""
    return int(torch.autograd._get_sequence_nr())


def gradient_node() -> int:
    """Returns `nodes_so_far` of the forward calls whose gradient is being computed; -1 outside a backward pass, and
    while a gradient is added to a parameter's."""
    node = torch._C._current_autograd_node()
    number = -1 if node is None else int(node._sequence_nr())
    return number + 1 if 0 <= number < LAST else -1
