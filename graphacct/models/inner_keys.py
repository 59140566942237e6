"""Objects of a config.json that hold configurations of their own: what takes their keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from graphacct.models.metadata import INSIDE, WITHIN

NONE: Mapping[str, str] = {}
NO_COSTS: Mapping[str, tuple[Any, ...] | None] = {}


@attrs.frozen
class Inner:
    """What takes the keys of an object of a configuration.

    Attributes:
        config: The class of the nested configuration.
        aliases: Other spellings of its keys.
        no_cost: Keys that change no cost, each with the values at which that holds (None: any).
        prepare: Rewrites keys of an older form in those of today; None for no such form.
    """

    config: type[Any]
    aliases: Mapping[str, str] = NONE
    no_cost: Mapping[str, tuple[Any, ...] | None] = NO_COSTS
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None

    def prepared(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns an object's keys as those of today."""
        return content if self.prepare is None else self.prepare(content)


def inner(metadata: Mapping[str, Any], value: Mapping[str, Any], key: str) -> Inner | None:
    """Returns what takes the keys of an object, from its field's metadata; None for no nested configuration."""
    if WITHIN in metadata:
        return Inner(metadata[WITHIN])
    if INSIDE in metadata:
        family = metadata[INSIDE](value, key)
        return Inner(family.config, family.aliases, family.no_cost, family.prepare)
    return None
