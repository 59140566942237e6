"""SAM's image encoder with two convolutions after its neck, as models that read pages have it.

Wei et al., 2025 (arXiv:2510.18234).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, Value, Workload, brief, fields, frozen
from graphacct_vision.parts.layers import convolution
from graphacct_vision.sam.sam_vision import VisionKeys, encoded


def channels(default: tuple[int, int]) -> Any:
    """Returns the key of the channels after each of the two convolutions."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...]:
        items = default if value is None else value
        whole = isinstance(items, (list, tuple)) and all(type(item) is int and item > 0 for item in items)
        if not whole or len(items) != 2:
            raise ConfigError(f"{field.name} is a list of two numbers of channels, not {brief(value)}")
        return tuple(items)

    return fields.checked_field(check, default)


@frozen(kw_only=True)
class SamConfig(VisionKeys):
    """The encoder's keys that the cost depends on."""

    downsample_channels: tuple[Dim, ...] = channels((512, 896))


def narrowed(c: SamConfig, workload: Workload, b: Builder, key: str) -> Value:
    """Returns the map of images, a quarter as high and wide as the encoder's; the builder is in its scope."""
    x = encoded(c, workload, b, key)
    with b.scope("proj"):
        for index, width in enumerate(c.downsample_channels, 1):
            x = convolution(b, f"conv{index}", x, width, 3, stride=2, padding=1)
    return x
