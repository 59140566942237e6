"""Listings: what the catalogue says of a package's things, as data, so that listing them imports none of their modules.

A package of many families or operators has the file `listing.json` beside its `__init__.py`: for each name its document
and what it takes. A name that the file does not have is imported, as all are in a package without one. A test compares
the files of graphacct's own plugins with the modules (`tests/listings/`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from graphacct.files import read_json

FILE = "listing.json"
ARCHITECTURES, OPERATORS = "architectures", "operators"


def listed(package: Any, kind: str, item: Any) -> Mapping[str, Any] | None:
    """Returns what a plugin's listing says of a thing that it registered and that is not imported; None if nothing."""
    if not hasattr(item, "module") or not hasattr(package, "__path__"):
        return None
    found: Mapping[str, Any] | None = _content(package.__path__[0]).get(kind, {}).get(item.name)
    return found


def entry(kind: str, item: Any) -> dict[str, Any]:
    """Returns what a listing says of a thing, from the thing itself."""
    if kind == OPERATORS:
        return {"signature": item.signature.text, "doc": item.doc}
    return {"takes": [*item.sizes], "needed": item.needed, "doc": item.doc}


@cache
def _content(folder: str) -> Mapping[str, Any]:
    path = os.path.join(folder, FILE)
    content: Mapping[str, Any] = read_json(path) if os.path.isfile(path) else {}
    return content
