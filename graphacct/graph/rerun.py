"""Rerun: that the model's own code has a node run again in the backward pass, which saves less then.

`torch.utils.checkpoint` does so, around any function. What runs under one call of it is a region: its backward pass
starts from the values that entered the region and runs again what it needs.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Rerun:
    """A node's place among the regions that the model has run again.

    Attributes:
        depth: How many parts of the node's name name the region, which all its nodes share: 2 of `layers.0.attn.q`.
        ordinal: The region's number among those with these parts, from 0.
        times: How often the node runs again in a training step: 0 after the last that the region's gradients need, 2 in
            a region within another.
    """

    depth: int
    ordinal: int = 0
    times: int = 1

    def region(self, name: str) -> tuple[str, int]:
        """Returns what all nodes of a node's region have in common: the parts of its name, and the number."""
        return ".".join(name.split(".")[: self.depth]), self.ordinal
