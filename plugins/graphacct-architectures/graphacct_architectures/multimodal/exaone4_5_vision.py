"""The tower of EXAONE 4.5: Qwen2.5-VL's, whose query heads share heads of keys and values.

LG AI Research, 2026 (EXAONE 4.5).
"""

from __future__ import annotations

import attrs

from graphacct import Dim, fields, frozen
from graphacct_architectures.multimodal import qwen2_5_vl_vision
from graphacct_architectures.multimodal.parts.grid import Grid
from graphacct_architectures.multimodal.parts.grid_layers import Looking
from graphacct_architectures.multimodal.parts.qwen_vl import tower_alone

VISION = "Exaone4_5_VisionModel"


@frozen(kw_only=True)
class Config(qwen2_5_vl_vision.Config):
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    num_key_value_heads: Dim = fields.size(8)


def describe(config: Config) -> Grid:
    """Returns the tower."""
    looking = Looking(config.num_heads, config.num_key_value_heads)
    return attrs.evolve(qwen2_5_vl_vision.describe(config), looking=looking)


ARCHITECTURE = tower_alone(
    "exaone4_5_vision",
    Config,
    describe,
    __file__,
    doc="The tower of EXAONE 4.5: a grid of patches, most layers in windows, shared heads.",
)
