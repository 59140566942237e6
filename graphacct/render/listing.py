"""The catalogue as sheets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from graphacct.render.printable import printable
from graphacct.render.sheet_parts import Column, Line, Sheet
from graphacct.render.units import bytes_, params

COLUMNS = {
    "architectures": ("name", "architecture", "takes", "doc", "plugin"),
    "operators": ("name", "signature", "doc", "plugin"),
    "conventions": ("name", "doc", "plugin"),
    "quantities": ("name", "unit", "doc", "plugin"),
    "analyses": ("name", "doc", "plugin"),
    "profiles": ("name", "doc", "plugin"),
    "readers": ("name", "doc", "plugin"),
    "transforms": ("name", "options", "doc", "plugin"),
    "optimizers": ("name", "doc", "plugin"),
    "recompute-policies": ("name", "doc", "plugin"),
    "weight-formats": ("name", "options", "doc", "plugin"),
    "devices": ("name", "memory_bytes", "vendor", "aliases", "source", "plugin"),
    "outputs": ("name", "command", "endings", "doc", "plugin"),
    "commands": ("name", "doc", "plugin"),
    "plugins": ("name", "origin", "registers"),
}
SIZED = ("name", "architecture", "params", "active_params", "param_bytes", "source")
"""The columns of models that were asked for by words."""
TITLES = {
    "name": "Name",
    "doc": "What it is",
    "plugin": "From",
    "memory_bytes": "Memory",
    "params": "Parameters",
    "active_params": "Active",
    "param_bytes": "Weights",
    "source": "Sizes from",
}
RANKS = {
    "plugin": 5,
    "source": 4,
    "takes": 3,
    "options": 3,
    "vendor": 3,
    "origin": 3,
    "architecture": 2,
    "signature": 2,
    "endings": 2,
    "aliases": 2,
    "active_params": 1,
    "unit": 1,
    "command": 1,
}
"""How little a column is needed where there is no room for all."""
WHOLE = ("unit", "command", "memory_bytes", "vendor")
"""Columns of words that are not broken."""
CUT = ("plugin", "source", "architecture", "origin")
"""Columns whose texts are cut where they are too long."""
ONE_LINE = ("takes", "doc")
"""Further ones among the models, of which each has one line."""
NUMBERS: Mapping[str, Callable[[Any], str]] = {"params": "{:,}".format, "active_params": params, "param_bytes": bytes_}
"""How the numbers of models are shown; parameters in full, by which a model is recognised."""
FEW = 4


def sheet(kind: str, rows: Iterable[Mapping[str, Any]], problems: Sequence[str] = ()) -> Sheet:
    """Returns the sheet of one kind of the catalogue; `problems` are shown below it."""
    rows = list(rows)
    if kind == "architectures":
        rows = _once(rows)
    sized = kind == "architectures" and all("params" in row for row in rows)
    names = SIZED if sized else COLUMNS[kind]
    problems = [*(f"{row['name']}: {row['error']}" for row in rows if row.get("error")), *problems]
    return Sheet(
        f"{kind}: {len(rows)}",
        "",
        tuple(_column(kind, name) for name in names),
        tuple(Line(tuple(_cell(_shown(row, name)) for name in names), printable(row["name"])) for row in rows),
        warning="; ".join(map(printable, problems)),
    )


def _column(kind: str, name: str) -> Column:
    cut = name in CUT or (kind == "architectures" and name in ONE_LINE)
    title = TITLES.get(name, name.capitalize())
    return Column(title, name in NUMBERS, name in WHOLE, RANKS.get(name, 0), cut)


def _once(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the rows with an architecture's description on its first row only."""
    seen: set[str] = set()
    shown = []
    for row in rows:
        shown.append({**row, "doc": ""} if row["architecture"] in seen else row)
        seen.add(row["architecture"])
    return shown


def _shown(row: Mapping[str, Any], name: str) -> Any:
    """Returns a row's value. What the core registers comes from `graphacct`, whichever module registers it."""
    if name == "registers":
        replaced = (pair for names in row["replaces"].values() for pair in names.items())
        return {**row[name], **{f"replaces {thing} of {plugin}": () for thing, plugin in replaced}}
    if name == "memory_bytes":
        return capacity(row["memory_bytes"], row["nominal"])
    if name in NUMBERS:
        return None if row[name] is None else NUMBERS[name](row[name])
    return row["origin"] if name == "plugin" and row["origin"] == "graphacct" else row[name]


def capacity(size: int, nominal: bool, binary: bool = False) -> str:
    """Returns the memory of a device in human units, and whether it is that of the product's name."""
    return f"{bytes_(size, binary)} nominal" if nominal else bytes_(size, binary)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return "; ".join(_registered(kind, names) for kind, names in value.items()) or "–"
    if isinstance(value, list):
        return ", ".join(map(printable, value))
    return printable(_first_paragraph(str(value)))


def _registered(kind: str, names: Sequence[str]) -> str:
    if not names:
        return printable(kind)
    more = ", …" if len(names) > FEW else ""
    counted = f"{len(names)} {kind}" if len(names) > 1 else f"{kind}"
    return f"{counted} ({', '.join(map(printable, names[:FEW]))}{more})"


def _first_paragraph(text: str) -> str:
    """Returns the first paragraph of a docstring, on one line."""
    return " ".join(text.strip().split("\n\n")[0].split())
