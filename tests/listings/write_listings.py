"""Write the listings of graphacct's own plugins again, `make listings`: after a family or an operator was added, or
says something else of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphacct.hooks.manager import load
from graphacct.models.lazy_architecture import LazyArchitecture
from graphacct.models.listing import ARCHITECTURES, FILE, OPERATORS, entry
from graphacct.operators.lazy_operator import LazyOperator


def listings() -> Mapping[Path, Mapping[str, Mapping[str, Any]]]:
    """The content of each file: of the packages that name their families and operators without importing them."""
    found: dict[Path, dict[str, dict[str, Any]]] = {}
    plugins = load()  # of the others, operators may be imported already
    for kind, lazy in ((ARCHITECTURES, LazyArchitecture), (OPERATORS, LazyOperator)):
        known = getattr(plugins, kind)
        for name in known:
            item, package = known.as_registered(name), known.plugins[name].module
            if isinstance(item, lazy) and hasattr(package, "__path__"):
                path = Path(package.__path__[0]) / FILE
                found.setdefault(path, {}).setdefault(kind, {})[name] = entry(kind, item.load())
    return found


def written(content: Mapping[str, Mapping[str, Any]]) -> str:
    """A file's text, one line for each name."""
    kinds = []
    for kind, entries in content.items():
        lines = [f"  {json.dumps(name)}: {json.dumps(entries[name], ensure_ascii=False)}" for name in sorted(entries)]
        kinds.append(f"{json.dumps(kind)}: {{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(kinds) + "\n}\n"


if __name__ == "__main__":
    for path, content in listings().items():
        path.write_text(written(content), encoding="utf-8")
        print(path)
