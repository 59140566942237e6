"""Adds measured presets to docs/certification.md and leaves the other rows: `python add_rows.py PRESETS.json`.

A row that is there already is replaced. The rest of the page stays; `make certify` measures all of it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from page import rows

from graphacct.models.find import presets

PAGE = Path(__file__).parents[2] / "docs" / "certification.md"
ROW = re.compile(r"^\| `([\w.-]+)` \| \w+ \| .*\n", re.MULTILINE)
SUMMARY = re.compile(r"^\d+ configurations of \d+ families: .*\.$", re.MULTILINE)


def added(text: str, measured: Mapping[str, Any]) -> str:
    """The page with these presets' rows, in the order of `graphacct list`."""
    found = {row[1]: row[0] for row in ROW.finditer(text)}
    found |= dict(zip(measured, (f"{line}\n" for line in rows(measured)), strict=True))
    ordered = [found[name] for name in presets() if name in found]
    start = next(ROW.finditer(text)).start()
    end = max(row.end() for row in ROW.finditer(text))
    text = text[:start] + "".join(ordered) + text[end:]
    families = {presets()[name].name for name in found}
    marked = sum("¹" in line for line in ordered)
    other = sum("**" in line or "not measured" in line for line in ordered)
    parts = [f"{len(ordered) - marked - other} equal in all figures", f"{marked} equal but for one module¹"]
    parts += [f"{other} not"] if other else []
    return SUMMARY.sub(f"{len(ordered)} configurations of {len(families)} families: {', '.join(parts)}.", text)


if __name__ == "__main__":
    PAGE.write_text(added(PAGE.read_text(), json.loads(Path(sys.argv[1]).read_text())))
