"""Which stages a backbone hands on: the keys `out_features` and `out_indices` of the transformers library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from graphacct_architectures.activations import activation
from graphacct_architectures.losses import classes

from graphacct import Builder, ConfigError, Dim, Value, brief, fields, frozen

ALIASES = {"torch_dtype": "dtype", "_out_features": "out_features", "_out_indices": "out_indices", **fields.LABELS}


def _names(value: Any, field: attrs.Attribute[Any]) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(name, str) for name in value):
        raise ConfigError(f"{field.name} is a list of names of stages, not {brief(value)}")
    return tuple(value)


def _places(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...] | None:
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(type(place) is int for place in value):
        raise ConfigError(f"{field.name} is a list of indices of stages, not {brief(value)}")
    return tuple(value)


def places_of_stages(default: tuple[int, ...] | None = None) -> Any:
    """Returns a key that is a list of indices of stages, or null."""
    return fields.checked_field(_places, default, metadata=fields.OPTIONAL)


@frozen(kw_only=True)
class Backbone:
    """The keys that say what a backbone hands on, and those that every image encoder has."""

    architectures: str = ""
    num_channels: Dim = fields.size(3)
    hidden_act: str = activation("gelu")
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()
    out_features: tuple[str, ...] | None = fields.checked_field(_names, None, metadata=fields.OPTIONAL)
    out_indices: tuple[int, ...] | None = places_of_stages()

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes."""
        return self.architectures.endswith("ForImageClassification") and classes(self.num_labels)

    def handed_on(self, stages: Dim, *, stem: bool = True) -> tuple[int, ...]:
        """Returns the indices of the stages that the backbone hands on, 0 for the stem: the last, if none are named.
        Without a stem among the names, 0 is the first stage.

        Raises ConfigError for a stage that is not there, or stages out of order.
        """
        if type(stages) is not int:
            raise ConfigError("a backbone's number of stages is an integer")
        names = [*(("stem",) if stem else ()), *(f"stage{place}" for place in range(1, stages + 1))]
        last = len(names) - 1
        by_name = None if self.out_features is None else [name_at(names, name) for name in self.out_features]
        places = by_name
        if self.out_indices is not None:
            places = [place + len(names) if place < 0 else place for place in self.out_indices]
            if by_name is not None and places != by_name:
                raise ConfigError(f"out_features {list(self.out_features or ())} and out_indices {places} disagree")
        if places is None:
            return (last,)
        if not places or sorted(set(places)) != places or not 0 <= places[0] <= places[-1] <= last:
            first = " (the stem)" if stem else ""
            raise ConfigError(f"out_indices {places} are not indices from 0{first} to {last}, each above the last")
        return tuple(places)


def name_at(names: list[str], name: str) -> int:
    """Returns the index of a stage. Raises ConfigError if there is no stage of the name."""
    if name not in names:
        raise ConfigError(f"out_features has {brief(name)}: the stages are {names[0]} to {names[-1]}")
    return names.index(name)


def as_map(b: Builder, x: Value, front: Dim, grid: tuple[Dim, Dim], name: str, *, flat: bool = False) -> Value:
    """Returns the patches of x (batch, tokens, width) after the first `front` tokens; not `flat`, as a map (batch,
    width, rows, columns)."""
    batch, tokens, width = x.spec.shape
    x = b.apply("slice", x, name=f"{name}_patches", dim=1, start=front, length=tokens - front)
    if flat:
        return x
    x = b.apply("reshape", x, name=f"{name}_places", shape=(batch, *grid, width))
    x = b.apply("permute", x, name=f"{name}_channels_first", dims=(0, 3, 1, 2))
    return b.apply("contiguous", x, name=name)
