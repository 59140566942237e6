"""The page as one file: the static picture, the content as JSON, the formulas and the page's own script and style.

Nothing is fetched, and nothing else may run: the policy in its head allows this script and this style alone, by their
hashes. What comes from a model is in the JSON, which is no script, and the page shows it as text.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from importlib.resources import files
from typing import Any, TypeAlias

from graphacct.deriving.branches import Branches
from graphacct.errors import RenderError
from graphacct.hooks.manager import Plugins, default
from graphacct.render.page.colours import COLOURS
from graphacct.render.page.content import content
from graphacct.render.page.ratios import ratios
from graphacct.render.printable import printable
from graphacct.reports.report import Report
from graphacct.reports.unrolled import unrolled

SCRIPTS = (
    *("state.js", "parts.js", "marks.js", "units.js", "layout.js", "drawing.js", "said.js", "panel.js", "sizes.js"),
    *("controls.js", "link.js", "keys.js", "export.js", "start.js"),
)
"""In this order, after the formulas: later ones call earlier ones."""
NONE = Branches((), (), {})
WITHOUT_SCRIPT = "This is the picture alone: parts to open, formulas and sizes to change need JavaScript."
MOST_NODES = 20_000
"""The most nodes of a page: with more, opening everything takes a browser half a minute."""
Rewrite: TypeAlias = Callable[[Report], Report]
_DECLARATION = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_TIP = re.compile(r' xlink:title="[^"]*"')


class Page(str):
    """The text of a page. In a notebook it stands in a frame of its own."""

    def _repr_html_(self) -> str:
        frame = html.escape(self, quote=True)
        return f'<iframe srcdoc="{frame}" sandbox="allow-scripts allow-downloads" width="100%" height="640"></iframe>'


def page(
    report: Report,
    *,
    branches: Callable[[Report, Rewrite], Branches] | None = None,
    color_by: str = "flops",
    depth: int | None = None,
    unroll: bool = False,
    views: bool = False,
    command: Sequence[tuple[str, str]] = (),
    marks: Mapping[str, Mapping[str, Any]] | None = None,
    picture: bool = True,
    plugins: Plugins | None = None,
) -> Page:
    """Returns the page of a report, a whole HTML document.

    Args:
        report: The report.
        branches: Returns the report for other sizes, each report rewritten; without it, sizes are fixed.
        color_by: The quantity that colours the parts at first.
        depth: Levels of scopes that are open at first; what is readable unless given.
        unroll: Whether every repetition of a block is a part.
        views: Whether views that cost nothing are parts; otherwise they fold into lines.
        command: What a reader types to get this report, for sizes that no formula here is for: the name of the size or
            option that each text gives, and the text, `("phase", "--phase train")`.
        marks: What is said of paths that differ from those of another model.
        picture: Whether the static picture is there for browsers without JavaScript.
        plugins: Those in use.

    Raises UnknownNameError for an unknown quantity, ConfigError for a generation, RenderError for a report whose
    figures are no numbers, or with too many nodes.
    """
    report.check_one_step("a page")
    report.quantity(color_by)
    plugins = plugins or default()
    check_count(report, unroll)
    folded = report
    rewrite: Rewrite = partial(unrolled, plugins=plugins) if unroll else _as_it_is
    report = rewrite(report)
    resized = NONE if branches is None else branches(report, rewrite)
    found = content(report, resized, plugins, color_by, depth, views, marks)
    words = command or (("", "graphacct report"), ("", report.model))
    typed = " ".join(text for name, text in words if name not in found.sizes)
    values = {**found.values, "command": typed, "typed": bool(command), "colours": COLOURS}
    script = "\n".join(
        [
            '"use strict";',
            text_of("exact.js", "graphacct.formulas"),
            found.figures.script(found.sizes),
            ratios(report),
            *(text_of(name) for name in SCRIPTS),
        ]
    )
    style = text_of("page.css")
    options = {"plugins": plugins, "color_by": color_by, "depth": depth, "views": views}
    static = _picture(folded, **options) if picture else ""
    return Page(document(report.model, style, script, values, static))


def document(title: str, style: str, script: str, values: Any, picture: str) -> str:
    """Returns an HTML document that may run this script alone."""
    policy = (
        f"default-src 'none'; script-src {hash_of(script)}; style-src {hash_of(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    name = html.escape(printable(title))
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<title>{name}</title>\n<link rel="icon" href="data:,">\n<style>{style}</style>\n</head>\n<body>\n'
        f"<noscript><h1>{name}</h1>\n<p>{WITHOUT_SCRIPT}</p>\n{picture}</noscript>\n"
        f'<script type="application/json" id="content">{_json(values)}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def check_count(report: Report, unroll: bool) -> None:
    """Raises RenderError if there are more nodes than a browser can show."""
    costs = report.annotated.costs
    count = sum(record.times for record in costs) if unroll else len(costs)
    if isinstance(count, int) and count > MOST_NODES:
        way_out = "draw repeated blocks once, without unroll=True" if unroll else "save the graph folded"
        raise RenderError(f"{report.model} has {count:,} nodes here, and a page at most {MOST_NODES:,}: {way_out}")


def _as_it_is(report: Report) -> Report:
    return report


def _picture(report: Report, **options: Any) -> str:
    """Returns the picture that a browser shows without the script, without its tips: a third of its text."""
    from graphacct.render.picture import svg

    try:
        text = svg(report, **options, formula=lambda _: ())
    except RenderError as error:  # no program to lay it out
        return f"<p>This page needs JavaScript; there is no picture without it: {html.escape(str(error))}</p>\n"
    return _TIP.sub("", _DECLARATION.sub("", text, count=1))


def _json(values: Any) -> str:
    """Returns plain values as JSON that cannot end its element: `<` is written as an escape."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def hash_of(text: str) -> str:
    """Returns what a policy calls a script or a style."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def text_of(name: str, package: str = "graphacct.render.page") -> str:
    """Returns the text of a file of the page."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
