"""The tower of Qwen3.5: Qwen3-VL's, of which the last tokens alone are read.

Qwen Team, 2026 (Qwen3.5).
"""

from __future__ import annotations

from graphacct import fields, frozen
from graphacct_architectures.multimodal.parts.grid import Grid
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone
from graphacct_architectures.multimodal.qwen3_vl_vision import Sizes, grid

VISION = "Qwen3_5VisionModel"


@frozen(kw_only=True)
class Config(Sizes):
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))


def describe(config: Config) -> Grid:
    """Returns the tower."""
    return grid(config)


ARCHITECTURE = tower_alone(
    "qwen3_5_vision",
    Config,
    describe,
    __file__,
    no_cost=("deepstack_visual_indexes",),
    doc="The tower of Qwen3.5: a grid of patches with learned positions.",
)
