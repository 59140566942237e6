"""The architectures that every user expects: one file per family, sorted by kind, with its presets beside it.

Families import only what `graphacct` exports, and apply operators by name. Each room's families.txt lists the names of
its families, so that a command imports only the family that it needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from graphacct import LazyArchitecture, PresetFiles, hookimpl
from graphacct_architectures.namesakes import NAMESAKES
from graphacct_architectures.relatives import RELATIVES
from graphacct_architectures.twins import TWINS

if TYPE_CHECKING:
    from graphacct import Translation

HERE = os.path.dirname(__file__)
ROOMS = ("decoders", "encoders", "encoder_decoders", "vision", "audio", "multimodal")


def _listed(room: str) -> Iterator[LazyArchitecture]:
    """Yields the families that a room's families.txt lists."""
    with open(f"{HERE}/{room}/families.txt", encoding="utf-8") as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    for module, *rest in lines:
        name, types = rest[0] if rest else module, tuple(rest[1:])
        presets = PresetFiles(f"{HERE}/{room}/{module}.py")
        yield LazyArchitecture(name, f"{__name__}.{room}.{module}", presets, types or (name,))


@hookimpl
def graphacct_register_architectures() -> Iterable[LazyArchitecture]:
    return (*(family for room in ROOMS for family in _listed(room)), *NAMESAKES, *RELATIVES, *TWINS)


@hookimpl
def graphacct_register_translations() -> Iterable[Translation]:
    from graphacct_architectures.translations import TRANSLATIONS

    return TRANSLATIONS
