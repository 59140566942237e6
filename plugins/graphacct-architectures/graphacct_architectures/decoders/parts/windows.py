"""Stacks in which some layers see a window of the sequence and others all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from graphacct import ConfigError, Dim, brief
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import FULL, SLIDING, disagreeing, whole


def windowed(layer: Layer, window: Dim | None) -> Layer:
    """Returns the layer with a window on its attention, or without one if None."""
    assert isinstance(layer.attention, Attention)
    return attrs.evolve(layer, attention=attrs.evolve(layer.attention, window=window))


def alternating(
    layer: Layer,
    count: Dim,
    window: Dim | None,
    types: Sequence[str] | None,
    default: Callable[[int], bool],
) -> Layer | tuple[Layer, ...]:
    """Returns the layers of a model. Its file may name each layer's kind; otherwise `default(index)` says which have a
    window.

    If all are equal, returns one layer. Raises ConfigError if the list and the layers differ in length, or if layers
    slide and no window is given.
    """
    if types is None and window is None:
        return layer
    number = whole(count, "num_hidden_layers")
    if types is None:
        types = [SLIDING if default(index) else FULL for index in range(number)]
    if len(types) != number:
        raise disagreeing(len(types), number)
    if window is None and SLIDING in types:
        index = list(types).index(SLIDING)
        raise ConfigError(f"layer_types[{index}] is {brief(SLIDING)}, but there is no sliding_window")
    full, sliding = layer, windowed(layer, window)
    kinds = tuple(sliding if kind == SLIDING else full for kind in types)
    return kinds[0] if len(set(kinds)) == 1 else kinds
