"""Shared by the transformers library's convolutional families: configuration keys and stages of blocks."""

from __future__ import annotations

from collections.abc import Callable

from graphacct_architectures.activations import activation

from graphacct import Builder, ConfigError, Dim, Value, fields, frozen, has_value
from graphacct_vision.parts.backbones import ALIASES as ALIASES
from graphacct_vision.parts.backbones import Backbone


@frozen(kw_only=True)
class Staged(Backbone):
    """The keys that the families share and that the cost depends on."""

    depths: tuple[Dim, ...] = fields.counts((3, 4, 6, 3))
    hidden_sizes: tuple[Dim, ...] = fields.counts((256, 512, 1024, 2048))
    hidden_act: str = activation("relu")
    image_size: tuple[Dim, Dim] = fields.sides(224)

    def __attrs_post_init__(self) -> None:
        if len(self.depths) != len(self.hidden_sizes):
            raise ConfigError(
                f"depths has {len(self.depths)} stages, hidden_sizes {len(self.hidden_sizes)}: one count for each"
            )


def repeated(
    name: str, depth: Dim, first: Callable[..., Value], other: Callable[..., Value], b: Builder, x: Value
) -> Value:
    """Adds `depth` blocks: the first, which changes the shape, then the equal ones as one repeat."""
    with b.scope(f"{name}.0"):
        x = first(b, x)
    rest = depth - 1
    return x if has_value(rest) and rest == 0 else b.repeat(name, rest, other, x, start=1)
