"""Two models side by side on one page: each as its own page in a frame, with what differs marked in both.

What a reader opens, chooses or colours in one frame follows in the other, by the paths of parts. The frames have no
address and fetch nothing: their text stands in the page, and its policy allows their scripts by their hashes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from graphacct.dims import same
from graphacct.hooks.manager import Plugins, default
from graphacct.render.diff import difference_text
from graphacct.render.page.names import name_of
from graphacct.render.page.page import Page, hash_of, page, text_of
from graphacct.render.printable import printable
from graphacct.render.units import human
from graphacct.reports.diff import ADDED, CHANGED, REMOVED, Change, Diff

SIDES = {ADDED: "only in B", REMOVED: "only in A", CHANGED: "differs"}
_OWN = re.compile(r"<script>(.*?)</script>|<style>(.*?)</style>", re.DOTALL)


def diff_page(found: Diff, depth: int | None = None, plugins: Plugins | None = None) -> Page:
    """Returns the page of a diff: A at the left, B at the right. `depth` opens so many levels of scopes at first.

    Raises what `page` raises.
    """
    plugins = plugins or default()
    marks = {change.path: _mark(found, change) for change in found.changes}
    color = found.first.quantity(found.quantity).name
    pages = [
        page(report, color_by=color, depth=depth, marks=marks, picture=False, plugins=plugins)
        for report in (found.first, found.other)
    ]
    script, style = text_of("diff.js"), text_of("diff.css")
    scripts, styles = _hashes(pages, 1), _hashes(pages, 2)
    policy = (
        f"default-src 'none'; script-src {' '.join([hash_of(script), *scripts])}; "
        f"style-src {' '.join([hash_of(style), *styles])}; img-src data:; base-uri 'none'; form-action 'none'"
    )
    names = [html.escape(printable(report.model)) for report in (found.first, found.other)]
    counts = ", ".join(f"{len(found.of_kind(kind))} {kind}" for kind in SIDES)
    frames = "".join(
        f'<iframe title="{side}: {name}" srcdoc="{html.escape(each, quote=True)}"></iframe>\n'
        for side, name, each in zip("AB", names, pages, strict=True)
    )
    return Page(
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{names[0]} and {names[1]}</title>\n<link rel="icon" href="data:,">\n<style>{style}</style>\n</head>\n'
        f"<body>\n<header><b>A</b> {names[0]} <b>B</b> {names[1]} <span>{counts}, {found.unchanged} unchanged: "
        "± differs, + only in B, − only in A</span>"
        f"</header>\n<noscript>{_table(found)}</noscript>\n<main>\n{frames}</main>\n<script>{script}</script>\n"
        "</body>\n</html>\n"
    )


def _hashes(pages: list[Page], group: int) -> list[str]:
    return [hash_of(each[group]) for text in pages for each in _OWN.finditer(text) if each[group] is not None]


def _mark(found: Diff, change: Change) -> Mapping[str, Any]:
    """Returns what is said of a path that differs: how, and each figure that does, before and after."""
    rows: list[list[str]] = []
    one, other = change.first, change.other
    if one is not None and other is not None:
        if one.operator != other.operator:
            rows.append(["operator", f"{one.operator} → {other.operator}"])
        if not same(one.repeat, other.repeat):
            rows.append(["runs", f"{one.repeat:,} → {other.repeat:,}"])
        for item in found.first.quantities:
            before, after = ((side.values or {}).get(item.name, 0) for side in (one, other))
            if not same(before, after):
                text = f"{human(before, item.unit)} → {human(after, item.unit)}{difference_text(before, after)}"
                rows.append([name_of(item, found.first.workload.get("phase", "forward")), text])
    return {"kind": change.kind, "says": SIDES[change.kind], "rows": rows}


def _table(found: Diff) -> str:
    return found._repr_html_()
